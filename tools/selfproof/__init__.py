"""Every fault injected, detected and named; no false alarm: ``make selfproof``."""
