"""How often the mark detector is wrong, and how much it costs: ``make accuracy``."""
