"""A run's figures: of each time of its calls the median over the cases that passed, for Allure's Metrics tab."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from harness.report.callfacts import call_facts
from harness.report.evidence import CaseEvidence
from harness.report.flow import arrows
from harness.report.manners import manners
from harness.verdict import Verdict


def of(run: str, cases: Sequence[CaseEvidence]) -> list[dict[str, Any]]:
    """One entry a figure, as Allure reads them; times in seconds since the epoch, in ms."""
    passed = [case for case in cases if case.verdict is Verdict.PASSED]
    found: dict[tuple[str, str], list[float]] = {}
    for case in passed:
        for facts in call_facts(case, arrows(case)):
            for title, seconds in facts.seconds.items():
                found.setdefault(("calls", title), []).append(seconds)
        for manner in manners(case):
            if manner.seconds is not None:
                found.setdefault(("voice agent", manner.title), []).append(manner.seconds)
        found.setdefault(("harness", "overhead"), []).append(case.wall_s - case.scripted_s)
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
