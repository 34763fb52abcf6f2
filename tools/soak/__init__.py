"""Thousands of calls in one run, with softphones killed meanwhile: nothing lost, nothing false,
nothing grows: ``make soak``.
"""
