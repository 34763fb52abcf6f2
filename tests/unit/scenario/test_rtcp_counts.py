"""What the far end counts of our stream, by its RTCP reports."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import FarEndReport
from harness.case.legs import LegEvents
from harness.scenario.call import Call

# Only a far end that has named our stream can say that nothing came.


def report(
    at: float, sent: int, received: int, names_us: bool = True, reporter: int = 1
) -> FarEndReport:
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
        reporter=reporter,
    )


def call(*reports: FarEndReport) -> tuple[Call, list[FarEndReport | None]]:
    """A call with these reports, and what waits for one have found."""
    found: list[FarEndReport | None] = []

    facts = LegEvents(reports)

    def wait_for(
        kind: type[FarEndReport],
        goal: str,
        predicate: Callable[[Any], bool],
        within: float,
        since: float,
        **_: Any,
    ) -> Any:
        found.append(next((e for e in facts.of(kind) if e.at >= since and predicate(e)), None))

    reported: Any = SimpleNamespace(
        events=[], facts=facts, id="caller.1", successor=None, wait_for=wait_for
    )
    return Call(SimpleNamespace(), reported, "caller"), found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "counted"),
    [
        ([], None),
        ([report(2.0, 100, 98)], (100, 98)),
        ([report(0.5, 40, 40), report(2.0, 100, 98)], (60, 58)),
        ([report(0.5, 40, 38), report(2.0, 100, 100)], (60, 60)),  # two were on their way
        ([report(2.0, 100, 0, names_us=False)], None),  # it may name no stream at all
        (
            [report(0.5, 40, 40), report(2.0, 100, 40, names_us=False)],
            (60, 0),
        ),  # it could, and nothing came
        # Another of its sources, which reports on nothing (RFC 8861), or an earlier party's.
        ([report(0.5, 40, 40), report(2.0, 165, 40, names_us=False, reporter=2)], None),
        ([report(0.5, 40, 40), report(2.0, 165, 40, False, 2), report(3.0, 200, 196)], (160, 156)),
        (
            [
                report(0.2, 40, 40),
                report(0.5, 90, 90, True, 2),
                report(2.0, 165, 90, names_us=False),
            ],
            None,
        ),
    ],
)
def test_what_is_counted_since_a_moment(
    reports: list[FarEndReport], counted: tuple[int, int] | None
) -> None:
    mine, awaited = call(*reports)
    assert mine.leg.facts.counted_by_far_end(1.0) == counted
    mine.wait_for_far_end_report(1.0, 5.0)
    assert (awaited != [None]) is (counted is not None), "what is waited for is what counts"
