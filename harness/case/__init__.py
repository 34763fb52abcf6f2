"""Calls: events, the facts that follow from them (``model``), what is checked (``checks``), how a
case ended (``verdict``).

Pure: no input or output.
"""
