"""The reference pages that are made from the code: ``python -m tools.reference`` writes them, a
test holds them to it.
"""
