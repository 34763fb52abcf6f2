"""Runs over time: what is new between two of them, and a verification every night.

============  =========================================================================
``compare``   two runs of one scope; how often a case is flaky
``problems``  what is wrong in a night, bounds of figures among it; what of it is new, gone or unverified
``alerts``    what has changed since the night before, sent by mail, chat or webhook
``metrics``   a night's figures for Prometheus
``page``      the last nights, rows × nights
``night``     one night, from the verification to the alert about it
============  =========================================================================
"""
