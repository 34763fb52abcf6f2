"""A pytest plugin for drawn customers: the run's cases are trials, each with the fault switched on that it is for, if any.

The verdict and its diagnosis are made by the ordinary plugin.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.deployment import Deployment
from harness.integrations.matrix import Case
from harness.run.plugin.run import Run, run_of
from tools.shapes.plan import Drawing, Trial, trials
from tools.trials import made_wrong, take_the_cases

_TRIALS = pytest.StashKey[dict[str, Trial]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which trials."""
    group = parser.getgroup("shapes")
    group.addoption("--shapes-seed", type=int, default=0)
    group.addoption("--shapes-only-fault", action="append", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """The trials take the place of the matrix's cases, in the controller and in every worker alike."""
    config = session.config
    run = run_of(config)
    if run is None:
        return
    drawing = Drawing(config.getoption("shapes_seed"), tuple(config.getoption("shapes_only_fault")))
    found = list(trials(run.deployments, drawing))
    config.stash[_TRIALS] = take_the_cases(run, found)


@pytest.fixture(autouse=True)
def _made_wrong(request: pytest.FixtureRequest, run: Run, case: Case, replica: Deployment) -> Iterator[None]:
    trial = request.config.stash[_TRIALS][case.id]
    is_ours = case.deployment in run.controls  # a world that is up by itself is wrong all the time
    with made_wrong(run, case.deployment, replica, [trial.fault] if trial.fault and is_ours else [], trial.line):
        yield
