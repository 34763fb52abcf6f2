"""Each check lets through what is right and nothing else; one without an example, or unnamed, is
noticed.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable

import pytest

import harness.case.checks
from harness.case.check_table import CHECKS, check_named
from harness.case.checks import finding, registry
from harness.case.checks.finding import judged, not_observable
from harness.case.checks.registry import CheckFunction
from harness.case.measurement import Direction
from harness.case.verdict import Finding, Strength, Verdict
from tests.unit.checks.check_examples import EXAMPLES, Example

#: Made by scenarios themselves, which have nothing to hand to a check function.
BY_SCENARIOS = {"case", "campaign", "phone.wait"}


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: f"{example.check}-{example.of.__name__}"
)
def test_right_passes_and_wrong_fails(example: Example) -> None:
    for make, verdict in (
        (example.right, Verdict.PASSED),
        *((wrong, Verdict.FAILED) for wrong in example.wrong),
    ):
        found = make()
        assert found is not None
        assert found.verdict is verdict, found
        assert found.check == example.check or verdict is Verdict.PASSED
        assert found.expected
        assert found.actual
        ends = f"{found.speaker} → {found.listener}" if found.speaker else found.subject
        assert found.subject == ends, (
            "fields say to programs what a text with an arrow says to people"
        )
        assert type(found.measured) is CHECKS[found.check].measures
        assert Finding.from_plain(json.loads(json.dumps(found.plain()))) == found


def test_every_check_and_every_function_that_finds_has_an_example() -> None:
    assert {example.check for example in EXAMPLES} == set(CHECKS) - BY_SCENARIOS
    assert {example.of for example in EXAMPLES} == set(_finding_functions())


def _finding_functions() -> list[Callable[..., object]]:
    found: list[Callable[..., object]] = []
    for module in pkgutil.iter_modules(harness.case.checks.__path__, "harness.case.checks."):
        if module.name in (finding.__name__, registry.__name__):
            continue
        members = vars(importlib.import_module(module.name)).items()
        found += [
            member
            for name, member in members
            if (isinstance(member, CheckFunction) or inspect.isfunction(member))
            and not name.startswith("_")
            and member.__module__ == module.name
            if "Finding" in str(inspect.signature(member).return_annotation)
        ]
    return found


@pytest.mark.parametrize("make", [judged, not_observable])
def test_a_check_goes_by_a_known_name_and_measures_its_own(make: Callable[..., Finding]) -> None:
    more = {"right": True, "actual": "it"} if make is judged else {"why": "nobody looks"}
    with pytest.raises(KeyError, match="no known check"):
        make("made.up", "x", expected="it", **more)
    with pytest.raises(TypeError, match="codec does not measure Direction"):
        make("codec", "x", expected="it", measured=Direction(), **more)


def test_a_check_of_a_users_own_scenario_is_read_and_reported() -> None:
    own = Finding(
        "queue.length", "billing", Verdict.FAILED, "at most 3 waiting", "5 waiting", at=1.0
    )
    assert Finding.from_plain(json.loads(json.dumps(own.plain()))) == own
    assert check_named("queue.length").claim == "queue.length"


def test_what_cannot_be_seen_says_why() -> None:
    unseen = not_observable("codec", "x", expected="PCMU", why="nobody looks")
    assert (unseen.verdict, unseen.actual) == (
        Verdict.NOT_OBSERVABLE,
        "not observable: nobody looks",
    )
    assert unseen.strength is Strength.UNKNOWN
