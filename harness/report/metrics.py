"""A run's figures: of each time of its calls the median over the cases that passed, for Allure's Metrics tab."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.calls.verdict import Verdict
from harness.report.callfacts import LegFacts
from harness.report.evidence import CaseEvidence
from harness.report.manners import Manner


@dataclass(frozen=True)
class Time:
    """One time that was measured in one case, in seconds."""

    group: str
    title: str
    seconds: float


def times(case: CaseEvidence, legs: Iterable[LegFacts], manners: Iterable[Manner]) -> Iterator[Time]:
    """What was measured in a case."""
    for facts in legs:
        for title, seconds in facts.seconds.items():
            yield Time("calls", title, seconds)
    for manner in manners:
        if manner.seconds is not None:
            yield Time("voice agent", manner.title, manner.seconds)
    yield Time("harness", "overhead", case.overhead_s)


def of(run: str, cases: Sequence[CaseEvidence], measured: Iterable[Time]) -> list[dict[str, Any]]:
    """One entry a figure, as Allure reads them; times in seconds since the epoch, in ms. ``measured`` is of the cases that passed."""
    passed = [case for case in cases if case.verdict is Verdict.PASSED]
    found: dict[tuple[str, str], list[float]] = {}
    for time in measured:
        found.setdefault((time.group, time.title), []).append(time.seconds)
    began = min((case.began_wall for case in passed), default=0.0)
    ended = max((case.wall(case.ended) for case in passed), default=0.0)
    return [
        {
            "run": run,
            "id": f"{run}-{title}".replace(" ", "-"),
            "key": title.replace(" ", "-"),
            "title": f"{title}, median of {len(values)}",
            "group": group,
            "unit": "ms",
            "value": round(1000 * statistics.median(values), 1),
            "start": round(1000 * began),
            "stop": round(1000 * ended),
        }
        for (group, title), values in found.items()
    ]
