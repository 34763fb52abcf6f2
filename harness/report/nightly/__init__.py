"""Runs over time: what is new between two of them, and a verification every night.

============  =========================================================================
``compare``   two runs of one scope; how often a case is flaky
``bounds``    what a row's figures may be at most
``store``     which nights there were
``alerts``    what has changed since the night before, sent by mail, chat or webhook
``metrics``   a night's figures for Prometheus
``page``      the last nights, rows × nights
``night``     one night, from the verification to the alert about it
============  =========================================================================
"""
