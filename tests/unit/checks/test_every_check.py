"""Each check lets through what is right and nothing else; one without an example, or unnamed, is noticed."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable

import pytest

import harness.calls.checks
from harness.calls.check_table import CHECKS, check_named
from harness.calls.checks import finding, registry
from harness.calls.checks.finding import judged, not_observable
from harness.calls.measurement import Direction
from harness.calls.verdict import Finding, Verdict
from tests.unit.checks.check_examples import EXAMPLES
from tests.unit.checks.example import Example

#: Made by scenarios themselves, which have nothing to hand to a check function.
BY_SCENARIOS = {"case", "campaign", "phone.wait"}


def names(example: Example) -> str:
    return f"{example.check}-{example.of.__name__}"


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_right(example: Example) -> None:
    found = example.right()
    assert found is not None
    assert found.verdict is Verdict.PASSED, found


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_wrong(example: Example) -> None:
    for wrong in example.wrong:
        found = wrong()
        assert found is not None
        assert found.verdict is Verdict.FAILED, found
        assert found.check == example.check
        assert found.expected
        assert found.actual


def test_every_check_has_an_example() -> None:
    assert {example.check for example in EXAMPLES} == set(CHECKS) - BY_SCENARIOS


def test_every_function_that_finds_has_an_example() -> None:
    assert {example.of for example in EXAMPLES} == set(_finding_functions())


def test_every_example_shows_both_sides() -> None:
    assert [names(example) for example in EXAMPLES if not example.wrong] == []


@pytest.mark.parametrize("make", [judged, not_observable])
def test_a_check_goes_by_a_known_name(make: Callable[..., Finding]) -> None:
    more = {"right": True, "actual": "it"} if make is judged else {"why": "nobody looks"}
    with pytest.raises(KeyError, match="no known check"):
        make("made.up", "x", expected="it", **more)


def _finding_functions() -> list[Callable[..., object]]:
    found: list[Callable[..., object]] = []
    for module in pkgutil.iter_modules(harness.calls.checks.__path__, "harness.calls.checks."):
        if module.name in (finding.__name__, registry.__name__):
            continue
        members = vars(importlib.import_module(module.name)).items()
        found += [
            member
            for name, member in members
            if inspect.isfunction(member) and not name.startswith("_") and member.__module__ == module.name
            if "Finding" in str(inspect.signature(member).return_annotation)
        ]
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=names)
def test_what_is_measured_survives_the_disk(example: Example) -> None:
    for make in (example.right, *example.wrong):
        found = make()
        assert found is not None
        assert type(found.measured) is CHECKS[found.check].measures
        assert found.plain().keys() >= {"check", "measured"}
        assert Finding.from_plain(json.loads(json.dumps(found.plain()))) == found


def test_a_direction_names_both_its_ends() -> None:
    """What a text with an arrow says to people, fields say to programs."""
    for example in EXAMPLES:
        found = example.right()
        assert found is not None
        ends = f"{found.speaker} → {found.listener}" if found.speaker else found.subject
        assert found.subject == ends


def test_a_check_measures_what_is_its_own() -> None:
    with pytest.raises(TypeError, match="codec does not measure Direction"):
        judged("codec", "x", True, expected="it", actual="it", measured=Direction())


def test_a_check_of_a_users_own_scenario_is_read_and_reported() -> None:
    own = Finding("queue.length", "billing", Verdict.FAILED, "at most 3 waiting", "5 waiting", at=1.0)
    assert Finding.from_plain(json.loads(json.dumps(own.plain()))) == own
    assert check_named("queue.length").claim == "queue.length"
