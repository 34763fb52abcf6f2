"""What the far end's RTCP reports say of our stream: only a far end that has named it can say that nothing came."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.events import FarEndReport
from harness.scenario.ends import Call


def report(at: float, sent: int, received: int, names_us: bool = True) -> FarEndReport:
    return FarEndReport(
        at=at,
        phone="caller",
        leg="caller.1",
        sent=sent,
        received=received,
        lost=0,
        fraction_lost=0.0,
        jitter_ms=0.0,
        names_us=names_us,
    )


def call(*reports: FarEndReport) -> Call:
    leg: Any = SimpleNamespace(events=list(reports), id="caller.1", successor=None)
    return Call(SimpleNamespace(), leg, "caller")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "counted"),
    [
        ([], None),
        ([report(2.0, 100, 98)], (100, 98)),
        ([report(0.5, 40, 40), report(2.0, 100, 98)], (60, 58)),
        ([report(0.5, 40, 40)], None),  # nothing was said since
        ([report(2.0, 100, 0, names_us=False)], None),  # it may name no stream at all
        ([report(0.5, 40, 40), report(2.0, 100, 40, names_us=False)], (60, 0)),  # it could, and nothing came
    ],
)
def test_what_is_counted_since_a_moment(reports: list[FarEndReport], counted: tuple[int, int] | None) -> None:
    assert call(*reports).counted_by_far_end(1.0) == counted


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5000)), max_size=6), st.floats(0, 100))
def test_a_far_end_that_never_named_us_says_nothing(told: list[tuple[float, int]], since: float) -> None:
    reports = [report(at, sent, 0, names_us=False) for at, sent in sorted(told)]
    assert call(*reports).counted_by_far_end(since) is None
