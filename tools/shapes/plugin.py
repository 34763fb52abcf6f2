"""A pytest plugin for drawn customers: the run's cases are trials, each with the fault switched on that it is for, if any.

The verdict and its diagnosis are made by the ordinary plugin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from harness.deployment import Deployment
from harness.matrix import Case
from harness.pytest_plugin.run import Run, run_of
from tools.shapes.plan import Trial, trials

_TRIALS = pytest.StashKey[dict[str, Trial]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which trials."""
    group = parser.getgroup("shapes")
    group.addoption("--shapes-seed", type=int, default=0)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """The trials take the place of the matrix's cases, in the controller and in every worker alike."""
    config = session.config
    run = run_of(config)
    if run is None:
        return
    found = list(trials(run.deployments, config.getoption("shapes_seed")))
    run.cases = [trial.case for trial in found]
    config.stash[_TRIALS] = {trial.case.id: trial for trial in found}


@pytest.fixture(autouse=True)
def _made_wrong(request: pytest.FixtureRequest, run: Run, case: Case, replica: Deployment) -> Iterator[None]:
    trial = request.config.stash[_TRIALS][case.id]
    if not trial.fault or case.deployment not in run.controls:  # a world that is up by itself is wrong all the time
        yield
        return
    url = f"{run.controls[case.deployment]}/faults"
    tenant = next(i for i, each in enumerate(run.replicas[case.deployment]) if each is replica)
    body = {"name": trial.fault, "line": trial.line, "tenant": tenant}
    httpx.post(url, json=body, timeout=20).raise_for_status()
    try:
        yield
    finally:
        httpx.request("DELETE", url, content=json.dumps({"tenant": tenant}), timeout=20).raise_for_status()
