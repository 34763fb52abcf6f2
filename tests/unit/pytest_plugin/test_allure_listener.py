"""allure-pytest follows the tests of a process unless all of them are cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import allure_commons
import pytest
from allure_pytest.listener import AllureListener

from harness.run.plugin import cases

CASE, TEST = "a case", "a test"


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[AllureListener]:
    monkeypatch.setattr(cases, "case_of", lambda item: item if item == CASE else None)
    made = AllureListener(SimpleNamespace())
    allure_commons.plugin_manager.register(made)
    yield made
    allure_commons.plugin_manager.unregister(made)


def collected(listener: AllureListener, items: list[str]) -> tuple[bool, list[Callable[[], Any]]]:
    """Whether pytest tells the listener of these tests, and what is done at the session's end."""
    plugins, cleanups = pytest.PytestPluginManager(), list[Callable[[], Any]]()
    plugins.register(listener)
    config = SimpleNamespace(pluginmanager=plugins, add_cleanup=cleanups.append)
    cases.pytest_collection_finish(SimpleNamespace(items=items, config=config))  # type: ignore[arg-type]
    return plugins.is_registered(listener), cleanups


@pytest.mark.parametrize("items", [[], [TEST], [CASE, TEST]])
def test_it_follows_tests_that_are_no_cases(listener: AllureListener, items: list[str]) -> None:
    assert collected(listener, items) == (True, [])
    assert allure_commons.plugin_manager.is_registered(listener)


def test_it_does_not_follow_cases_alone(listener: AllureListener) -> None:
    follows, cleanups = collected(listener, [CASE, CASE])

    assert not follows
    assert not allure_commons.plugin_manager.is_registered(listener)
    for cleanup in cleanups:
        cleanup()
    assert allure_commons.plugin_manager.is_registered(listener)
