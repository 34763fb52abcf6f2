"""What whole runs import: the process that imports this is the one that ``tests.forked`` forks them from, and serves nothing else."""

from __future__ import annotations

import importlib
import os
import sys

from tests.forked import VARIABLE

for _name in (
    "allure_pytest.plugin",
    "harness.cli.app",
    "harness.cli.entry",
    "harness.http_client.session",
    "harness.phone.child.service",
    "harness.pytest_plugin.cases",
    "harness.pytest_plugin.collection",
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.forked_workers",
    "harness.pytest_plugin.plan",
    "harness.pytest_plugin.progress",
    "harness.simulation.world",
    "pytest",
    "xdist.plugin",
    "xdist.remote",
    "xdist.workermanage",
):
    importlib.import_module(_name)
sys.executable = os.environ[VARIABLE]  # what a run starts is forked as well: workers, worlds, softphones
