"""What whole runs import: the process that imports this is the one that ``tests.forked`` forks them
from, and serves nothing else.
"""

from __future__ import annotations

import importlib
import os
import sys

from harness.report.markup import environment
from tests.forked import VARIABLE

for _name in (
    "allure_pytest.plugin",
    "harness.report.rejudge",
    "harness.report.signoff.attest",
    "harness.report.witnesses",
    "harness.run.cli.app",
    "harness.report.run",
    "harness.run.cli.entry",
    "harness.support.http_client.session",
    "harness.phone.child.service",
    "harness.run.plugin.cases",
    "harness.run.plugin.collection",
    "harness.run.plugin.fixtures",
    "harness.run.plugin.workers",
    "harness.run.plugin.plan",
    "harness.run.plugin.progress",
    "harness.run.preflight",
    "harness.world.world",
    "pytest",
    "xdist.plugin",
    "xdist.remote",
    "xdist.workermanage",
):
    importlib.import_module(_name)
for _name in environment().list_templates(extensions=["j2"]):
    environment().get_template(_name)  # compiled, which takes as long as the cases of a short run
sys.executable = os.environ[
    VARIABLE
]  # what a run starts is forked as well: workers, worlds, softphones
