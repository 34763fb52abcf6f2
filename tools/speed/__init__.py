"""How long the matrix takes, and what a call costs: ``make bench``."""
