"""Faults that other people's programs are made to show, and what the harness says of them."""
