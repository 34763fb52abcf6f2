"""Which calls of a case reached a stand-in: those of others do not count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.measurement import Reached
from harness.scenario.ai import Ai
from harness.scenario.endpoints import StandInEndpoint
from tests.unit.scenario.conftest import MakeContext


@pytest.mark.parametrize(
    ("legs_began", "reached"),
    [
        ((1.0, 2.0, 3.0), ()),  # calls of before are others
        ((1.0, 2.0, 3.0, 10.1), ("stand-in.4",)),
    ],
)
def test_a_call_that_came_after_is_the_one_too_many(
    make_context: MakeContext, legs_began: tuple[float, ...], reached: tuple[str, ...]
) -> None:
    context = make_context(ai="stand-in")
    legs = [
        SimpleNamespace(id=f"stand-in.{number}", events=[SimpleNamespace(at=at)])
        for number, at in enumerate(legs_began, start=1)
    ]
    ai = Ai(context)
    ai._endpoint = StandInEndpoint(context, cast("Any", SimpleNamespace(incoming=legs)), context.trunk)
    ai.was_not_reached(cast("Any", SimpleNamespace(began=10.0)))
    (found,) = context.evidence.findings
    assert isinstance(found.measured, Reached)
    assert found.measured.reached == reached
