"""Marks the root of the tree for pytest. The plugin (``harness.pytest_plugin``) is found by its
entry point, here as anywhere.
"""
