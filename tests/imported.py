"""What whole runs import: the process that imports this is the one that ``tests.forked`` forks them from, and serves nothing else."""

from __future__ import annotations

import importlib
import os
import sys

from tests.forked import VARIABLE

for _name in (
    "allure_pytest.plugin",
    "harness.run.cli.app",
    "harness.run.cli.entry",
    "harness.support.http_client.session",
    "harness.phone.child.service",
    "harness.run.plugin.cases",
    "harness.run.plugin.collection",
    "harness.run.plugin.fixtures",
    "harness.run.plugin.workers",
    "harness.run.plugin.plan",
    "harness.run.plugin.progress",
    "harness.world.world",
    "pytest",
    "xdist.plugin",
    "xdist.remote",
    "xdist.workermanage",
):
    importlib.import_module(_name)
sys.executable = os.environ[VARIABLE]  # what a run starts is forked as well: workers, worlds, softphones
