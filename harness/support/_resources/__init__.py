"""The wheel keeps copies of the top-level folders that a user needs here
(:mod:`harness.support.resources`).
"""
