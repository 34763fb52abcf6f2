"""Which calls of a case reached a stand-in: those of others do not count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from harness.scenario.ai_place import AiPlace
from harness.scenario.seats import StandInSeat
from harness.verdict import Finding


def reached(extra_began: float, *legs_began: float) -> list[str]:
    """The legs that a call which began then is said to have brought to the stand-in."""
    findings: list[Finding] = []
    stage = SimpleNamespace(case=SimpleNamespace(axes={"ai": "stand-in"}), add=findings.append)
    place = AiPlace(cast("Any", stage))
    legs = [
        SimpleNamespace(id=f"stand-in.{number}", events=[SimpleNamespace(at=at)])
        for number, at in enumerate(legs_began, start=1)
    ]
    place._seat = StandInSeat(cast("Any", stage), cast("Any", SimpleNamespace(incoming=legs)), cast("Any", None))
    place.was_not_reached(cast("Any", SimpleNamespace(began=extra_began)))
    (found,) = findings
    return cast("list[str]", found.facts["reached"])


def test_calls_of_before_are_others() -> None:
    assert reached(10.0, 1.0, 2.0, 3.0) == []


def test_a_call_of_after_is_the_one_too_many() -> None:
    assert reached(10.0, 1.0, 2.0, 3.0, 10.1) == ["stand-in.4"]
