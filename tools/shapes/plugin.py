"""A pytest plugin for drawn customers: the run's cases are trials, each with the fault switched on
that it is for, if any.

The verdict and its diagnosis are made by the ordinary plugin.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.deployment import Deployment
from harness.integrations.matrix import Case
from harness.run.plugin.run import Run
from tools.shapes.plan import Trial, trials
from tools.trials import made_wrong, take_the_cases, trial_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which trials."""
    parser.getgroup("shapes").addoption("--shapes-seed", type=int, default=0)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Replace the cases by trials."""
    seed = session.config.getoption("shapes_seed")
    take_the_cases(session, lambda run: trials(run.deployments, seed))


@pytest.fixture(autouse=True)
def _made_wrong(
    request: pytest.FixtureRequest, run: Run, case: Case, replica: Deployment
) -> Iterator[None]:
    trial: Trial = trial_of(request, case)
    # a world started apart keeps its fault all the time
    faults = [trial.fault] if trial.fault and case.deployment in run.controls else []
    with made_wrong(run, case.deployment, replica, faults, trial.line):
        yield
