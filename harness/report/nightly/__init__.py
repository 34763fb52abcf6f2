"""Runs over time: what is new between two of them, and a verification every night.

============  =========================================================================
``compare``   two runs of one scope
``bounds``    what a row's figures may be at most
``flakes``    how often a case is flaky, with its confidence
``news``      what has changed since the night before
``store``     which nights there were
``alerts``    what has changed, told by mail, chat or webhook
``metrics``   a night's figures for Prometheus
``page``      the last nights, rows × nights
``night``     one night, from the verification to what is told of it
============  =========================================================================
"""
