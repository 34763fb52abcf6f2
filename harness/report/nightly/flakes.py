"""How often a case is flaky, with the confidence that so few nights allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.calls.verdict import Verdict
from harness.report.history import Run

CONFIDENCE = 0.95


@dataclass(frozen=True)
class FlakeRate:
    """In how many nights a case was flaky: passed on retry only, or failed between two nights in which it passed."""

    case: str
    row: str
    flaky: int
    nights: int

    @property
    def rate(self) -> float:
        """The share that was seen."""
        return self.flaky / self.nights if self.nights else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95 % confidence."""
        return wilson(self.flaky, self.nights)


def wilson(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The Wilson score interval (E. B. Wilson, 1927): it holds for few trials, and for none or all of them as well."""
    if not trials:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = hits / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def rates(runs: Sequence[Run]) -> list[FlakeRate]:
    """Of each case that was ever flaky, the flakiest first. ``runs`` are of one key, oldest first.

    A night in which it broke, or nobody could look, says nothing of it.
    """
    seen: dict[str, list[tuple[bool, bool]]] = {}
    rows: dict[str, str] = {}
    for run in runs:
        for result in run.results:
            if result.verdict in (Verdict.PASSED, Verdict.FAILED):
                passed = result.verdict == Verdict.PASSED
                seen.setdefault(result.case, []).append((passed, passed and result.attempts > 1))
                rows[result.case] = result.row
    found = [FlakeRate(case, rows[case], _flaky(nights), len(nights)) for case, nights in seen.items()]
    return sorted((one for one in found if one.flaky), key=lambda one: (-one.interval[0], one.case))


def _flaky(nights: Sequence[tuple[bool, bool]]) -> int:
    count = sum(retried for _, retried in nights)
    inner = zip(nights, nights[1:], nights[2:], strict=False)
    return count + sum(before[0] and not now[0] and after[0] for before, now, after in inner)
