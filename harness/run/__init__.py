"""Verification runs: the command line, the pytest plugin's parts, preflight, load and fleet."""
