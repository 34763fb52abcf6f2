"""Set-ups that nobody designed: drawn customers, played by the simulated world, and verified."""
