"""Checks: events in, findings out. Nothing here waits, calls or knows who is simulated."""
