"""A pytest plugin for the soak: the selected cases, again and again in one run, each time a case of
its own.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator

import pytest

from harness.run.plugin.run import run_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many."""
    parser.getgroup("soak").addoption("--soak-cases", type=int, default=0, help="cases, at least")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> Generator[None]:
    """Multiply the run's cases, in the controller and in every worker alike, before anybody looks
    at them.
    """
    run, wanted = run_of(session.config), session.config.getoption("soak_cases")
    if run is not None and wanted:
        rounds = -(-wanted // len(run.cases))
        run.cases = [
            dataclasses.replace(case, axes={**case.axes, "round": f"{number:04}"})
            for number, case in itertools.product(range(rounds), run.cases)
        ]
    yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Round by round: with the longest first, the mixture would change from the beginning to the
    end.
    """
    items.sort(key=lambda item: item.nodeid.rpartition("-")[2])
