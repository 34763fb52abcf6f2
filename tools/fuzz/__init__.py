"""Input that nobody designed, to everything that reads what others wrote: ``make fuzz``."""
