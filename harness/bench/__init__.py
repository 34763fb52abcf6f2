"""The benches: how accurate the ear is, and how fast."""
