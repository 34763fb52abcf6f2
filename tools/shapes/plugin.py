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
from tools.shapes.plan import Drawing, Trial, trials
from tools.trials import made_wrong, take_the_cases, trial_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which trials."""
    group = parser.getgroup("shapes")
    group.addoption("--shapes-seed", type=int, default=0)
    group.addoption("--shapes-only-fault", action="append", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Replace the cases by trials."""
    option = session.config.getoption
    drawing = Drawing(option("shapes_seed"), tuple(option("shapes_only_fault")))
    take_the_cases(session, lambda run: trials(run.deployments, drawing))


@pytest.fixture(autouse=True)
def _made_wrong(
    request: pytest.FixtureRequest, run: Run, case: Case, replica: Deployment
) -> Iterator[None]:
    trial: Trial = trial_of(request, case)
    own_world = (
        case.deployment in run.controls
    )  # a world started apart keeps its fault all the time
    with made_wrong(
        run,
        case.deployment,
        replica,
        [trial.fault] if trial.fault and own_world else [],
        trial.line,
    ):
        yield
