"""Figures of calls: of each row the worst over its cases, and of a run the medians for Allure's Metrics tab."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.calls.verdict import Verdict
from harness.report.callfacts import LegFacts
from harness.report.evidence import CaseEvidence
from harness.report.responsiveness import ResponseTime

ANSWER, LOSS, JITTER, WALL = "answer_s", "rtp_loss", "rtp_jitter_ms", "case_s"


#: Every figure, and what it says.
KPIS: Final = {
    ANSWER: "seconds from the INVITE to the answer, the longest",
    LOSS: "share of RTP packets lost, the largest of a leg",
    JITTER: "RTP jitter in ms (RFC 3550 section 6.4.1), the largest of a leg",
    WALL: "seconds of a case, the longest",
}


def worst_figures(cases: Iterable[CaseEvidence]) -> dict[str, float]:
    """The figures that were measured."""
    cases = list(cases)
    statistics = [one for case in cases for one in case.statistics.values() if one.rx_expected]
    every = {
        ANSWER: answer_times(cases),
        LOSS: [one.rx_lost / one.rx_expected for one in statistics],
        JITTER: [one.rx_jitter_ms for one in statistics],
        WALL: [case.wall_s for case in cases],
    }
    return {name: round(max(values), 4) for name, values in every.items() if values}


def answer_times(cases: Iterable[CaseEvidence]) -> list[float]:
    """Of each call placed and answered, the seconds from its INVITE to the answer."""
    return [seconds for case in cases for seconds in case.gist.answered_s]


@dataclass(frozen=True)
class Time:
    """One time that was measured in one case, in seconds."""

    group: str
    title: str
    seconds: float


def times(case: CaseEvidence, legs: Iterable[LegFacts], responses: Iterable[ResponseTime]) -> Iterator[Time]:
    """What was measured in a case."""
    for facts in legs:
        for title, seconds in facts.seconds.items():
            yield Time("calls", title, seconds)
    for response in responses:
        if response.seconds is not None:
            yield Time("voice agent", response.title, response.seconds)
    yield Time("harness", "overhead", case.overhead_s)


def medians(run: str, cases: Sequence[CaseEvidence], measured: Iterable[Time]) -> list[dict[str, Any]]:
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
