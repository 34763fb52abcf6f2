"""The pytest plugin: a verification run is a pytest run over the scenarios, with ``--deployment FILE``.

===============  ====================================================================================
``options``      the command line, and mistakes in it
``run``          what every process of a run knows: :class:`~harness.pytest_plugin.run.Run`
``worlds``       starts, watches and ends the simulated worlds
``parallel``     workers: their number, what they are handed, their slots, their deaths
``cases``        ``@scenario``-marked tests become cases; each leases a deployment and records its evidence
``fixtures``     what scenarios are written with
``progress``     what one sees meanwhile, and at the end
===============  ====================================================================================

What ``fixtures`` builds on: the fixtures ``case`` (:class:`harness.matrix.Case`), ``replica`` (the filled-in
:class:`harness.deployment.Deployment` leased to the case), ``recorder`` (its open
:class:`harness.report.recorder.CaseRecorder`, closed by the plugin), ``run``, ``case_marks`` (an iterator of mark ids no
other leg has) and ``gate`` (the :class:`harness.limits.CallGate` of the deployment).

Without ``--deployment`` the plugin does nothing, so tests of other kinds are not touched by it.
"""

pytest_plugins = [
    "harness.pytest_plugin.options",
    "harness.pytest_plugin.parallel",
    "harness.pytest_plugin.cases",
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.progress",
]
