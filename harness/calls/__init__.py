"""Calls: what happened in them (``events``), what is checked (``checks``), and how a case ended (``verdict``).

Pure: no input or output.
"""
