"""Installs other people's SIP programs and runs the tests against them: ``make test-interop``."""
