"""Figures of a row's calls: the worst of each over its cases, so that one bad call shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from harness.report.evidence import CaseEvidence

ANSWER, LOSS, JITTER, WALL = "answer_s", "rtp_loss", "rtp_jitter_ms", "case_s"

#: Every figure, and what it says.
KPIS: Final = {
    ANSWER: "seconds from the INVITE to the answer, the longest",
    LOSS: "share of RTP packets lost, the largest of a leg",
    JITTER: "RTP jitter in ms (RFC 3550 section 6.4.1), the largest of a leg",
    WALL: "seconds of a case, the longest",
}


def of(cases: Iterable[CaseEvidence]) -> dict[str, float]:
    """The figures that were measured."""
    cases = list(cases)
    statistics = [one for case in cases for one in case.statistics.values() if one.rx_expected]
    every = {
        ANSWER: answers(cases),
        LOSS: [one.rx_lost / one.rx_expected for one in statistics],
        JITTER: [one.rx_jitter_ms for one in statistics],
        WALL: [case.wall_s for case in cases],
    }
    return {name: round(max(values), 4) for name, values in every.items() if values}


def answers(cases: Iterable[CaseEvidence]) -> list[float]:
    """Of each call placed and answered, the seconds from its INVITE to the answer."""
    return [seconds for case in cases for seconds in case.gist.answered_s]
