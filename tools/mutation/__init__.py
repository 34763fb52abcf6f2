"""Changes the code in small ways and counts which changes a test notices: ``make mutants``."""
