"""The tables of docs/diagnosis.md, made from the rules."""
