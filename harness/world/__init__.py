"""The simulated world: carrier, contact-centre platform and Synthflow on loopback addresses of
their own.

Nothing that judges imports this package; it is a system under test like any other, started with
``python -m harness.world`` and known to the harness only by the deployments it prints.
"""
