"""The parts of the pytest plugin :mod:`harness.pytest_plugin`, which loads them when
``--deployment`` is given.
"""
