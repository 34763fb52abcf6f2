"""A pytest plugin: the run's cases are trials, each with a fault that its platform shows while it
lasts.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.case.recorder import CaseRecorder
from harness.integrations.matrix import Case
from harness.run.plugin.run import Run
from tools.strangers.plan import Trial, trials
from tools.trials import take_the_cases, trial_of

#: Where the switches of the platforms listen, by deployment (a directory with a socket of that
#: name).
SWITCHES = "STRANGERS_SWITCHES"
RESULT = "strangers.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is proved."""
    options = parser.getgroup("strangers")
    options.addoption("--clean-cases", type=int, default=0, help="clean cases")
    options.addoption("--only-fault", action="append", default=[], help="this fault alone")
    options.addoption("--held-out", action="store_true", help="with the faults kept aside")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Replace the cases by trials."""
    option = session.config.getoption

    def plan(run: Run) -> list[Trial]:
        run.switchboard = None  # cases never run beside each other: a platform shows the fault of one case at a time
        return trials(
            run.deployments, option("clean_cases"), option("only_fault"), option("held_out")
        )

    take_the_cases(session, plan)


@pytest.fixture(autouse=True)
def _made_wrong(
    request: pytest.FixtureRequest, case: Case, recorder: CaseRecorder
) -> Iterator[None]:
    trial: Trial = trial_of(request, case)
    name = trial.fault.name if trial.fault else ""
    result = recorder.directory / RESULT
    result.write_text(json.dumps({"fault": name}), encoding="utf-8")
    switch(case.deployment, name)
    try:
        yield
    finally:
        late_s = switch(case.deployment, "")
        result.write_text(json.dumps({"fault": name, "rig_late_s": late_s}), encoding="utf-8")


def switch(deployment: str, fault: str) -> float:
    """Have that platform show the fault, or none; how late its wire was at worst since it was last
    switched, in seconds.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(30)
        asked.connect(str(Path(os.environ[SWITCHES]) / deployment))
        asked.sendall(f"{fault}\n".encode())
        told = asked.makefile().readline()
        if not told.endswith("\n"):
            raise RuntimeError(f"{deployment} could not be switched to {fault or 'no fault'}")
        return float(told)
