"""What the history says of a case: new, failing since a run, fixed, or flaky, and how often. Every
view reads it here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from harness.case.verdict import Verdict
from harness.errors import DamagedHistoryError, MistakeError, ResourceError
from harness.report import history
from harness.report.acknowledged import NONE, Acknowledged, today
from harness.report.causes import CauseGroup
from harness.report.evidence import CaseEvidence, CaseKey
from harness.report.history import Result, Run
from harness.report.run_directory import RunEvidence

CONFIDENCE = 0.95
#: So many runs of each deployment and site are read from the history.
MOST_PAST = 30


@dataclass(frozen=True)
class FlakeRate:
    """In how many nights a case was flaky: passed on retry only, or failed between two nights in
    which it passed.
    """

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


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The Wilson score interval of 95 % (E. B. Wilson, 1927): it holds for few trials, and for none or all
    of them as well.
    """
    if not trials:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, weight = hits / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def rates(runs: Sequence[Run]) -> list[FlakeRate]:
    """Of each case that was ever flaky, the flakiest first. ``runs`` are of one key, oldest first.

    Nights in which the case broke or was not observable do not count.
    """
    seen: dict[str, list[tuple[bool, bool]]] = {}
    rows: dict[str, str] = {}
    for run in runs:
        for result in run.results:
            if result.verdict.says_something:
                seen.setdefault(result.case, []).append(_night(result))
                rows[result.case] = result.row
    found = []
    for case, nights in seen.items():
        if flaky := _flaky(nights):
            found.append(FlakeRate(case, rows[case], flaky, len(nights)))
    return sorted(found, key=lambda one: (-one.interval[0], one.case))


# -- what the history says of a case


FIXED = "fixed"
#: Site and case: new, failing since a run, fixed, or flaky. A case of which nothing is to be said
#: is not in it.
Standings = Mapping[CaseKey, str]


@dataclass(frozen=True)
class Past:
    """What the history says of a run."""

    runs: Sequence[Run] = ()  #: earlier ones, oldest first
    standings: Standings = field(default_factory=dict)
    #: In a deployment's file, since the run before.
    changed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unread: ResourceError | None = None  #: why the history could not be read
    acknowledged: Acknowledged = NONE
    has_faults: bool = False  #: injected into the run; earlier runs have the same
    note: str = ""  #: why acknowledgements could not be read

    def of(self, cases: Iterable[CaseEvidence]) -> str:
        """What it says of these cases together; empty where it says nothing."""
        return together(self.standings.get(case.key, "") for case in cases)

    def of_group(self, group: CauseGroup) -> str:
        """What it says of a cause's cases, and whether the cause is acknowledged."""
        known = self.acknowledged.of(group.id, group.cases[0].deployment)
        return "; ".join(filter(None, (self.of(group.cases), known)))

    @property
    def fixed(self) -> list[str]:
        """The ids of the cases that pass again."""
        return [case for (_, case), words in self.standings.items() if words == FIXED]

    @property
    def damage(self) -> DamagedHistoryError | None:
        """What is wrong with the history, where it is to be set aside."""
        return self.unread if isinstance(self.unread, DamagedHistoryError) else None

    def __str__(self) -> str:
        if self.unread:
            return "earlier runs cannot be read, so nothing is known to be new"
        if not self.runs:
            like = "with these faults" if self.has_faults else "to compare with"
            return f"no earlier run {like}"
        newest = max(self.runs, key=lambda run: run.began)
        counted = Counter(self.standings.values()).most_common()
        found = ", ".join(f"{count} {words}" for words, count in counted)
        return f"since run {newest.run}: {found or 'nothing new, nothing fixed'}"


def look_back(run: RunEvidence, now: Sequence[Run]) -> Past:
    """What the history beside a run says of it. ``now`` is the run as the history keeps it."""
    reports = run.directory.parent
    path = reports / history.FILE
    past: list[Run] = []
    changed: dict[str, Sequence[str]] = {}
    acknowledged, note = NONE, ""
    try:
        acknowledged = today(reports)
    except MistakeError as error:  # a run has its reports whatever stands beside them
        note = str(error)
    try:
        for one in now:
            earlier, differing = history.before(path, one, MOST_PAST)
            past += earlier
            changed |= {one.deployment: differing} if differing else {}
    except ResourceError as error:  # the evidence is none the worse for it
        return Past(unread=error, acknowledged=acknowledged, note=note)
    return Past(
        past,
        standings(past, now),
        changed,
        acknowledged=acknowledged,
        has_faults=any(one.faults for one in now),
        note=note,
    )


def standings(past: Sequence[Run], now: Sequence[Run]) -> Standings:
    """What the runs before say of each case of a run. ``past`` are of one history for each
    deployment and site, oldest first.
    """
    places = {(run.deployment, run.site) for run in past}
    seen: dict[CaseKey, list[tuple[str, Result]]] = {}
    for run in past:
        for result in run.results:
            if result.attempts:
                seen.setdefault((run.site, result.case), []).append((run.run, result))
    found = {}
    for run in now:
        if (run.deployment, run.site) not in places:
            continue
        for result in run.results:
            key = run.site, result.case
            if result.attempts and (words := _standing(seen.get(key, []), result)):
                found[key] = words
    return found


def _standing(before: Sequence[tuple[str, Result]], now: Result) -> str:
    """``before``: the runs that ran the case, with how it ended. Where it broke or was not
    observable, it may have failed or not.
    """
    informative = [(run, result) for run, result in before if result.verdict.says_something]
    nights = [*(_night(result) for _, result in informative), _night(now)]
    count = _flaky(nights)
    flaky = f"flaky ({count} of {len(nights)})" if count else ""
    if now.passed:
        is_fixed = bool(informative) and not informative[-1][1].passed
        return FIXED if is_fixed else flaky
    known = informative if now.verdict is Verdict.FAILED else before
    since: str | None = None
    has_failed = False
    for run, result in reversed(known):
        if result.verdict is not now.verdict:
            break
        has_failed = True
        if set(now.causes) <= set(result.causes):
            since = run
    if since is not None:
        how = "failing" if now.verdict is Verdict.FAILED else now.verdict
        return f"{how} since {since}"
    news = "new cause" if has_failed else "new"
    return f"{news}, {flaky}" if flaky else news


def together(words: Iterable[str]) -> str:
    """What the history says of several cases; empty where it says nothing."""
    counted = Counter(words)
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{count} {word}" for word, count in counted.most_common() if word)


def _night(result: Result) -> tuple[bool, bool]:
    """Whether it passed, and whether on retry only."""
    return result.passed, result.passed and result.attempts > 1


def _flaky(nights: Sequence[tuple[bool, bool]]) -> int:
    """In how many it passed on retry only, or failed between two in which it passed."""
    count = sum(retried for _, retried in nights)
    passed = [has_passed for has_passed, _ in nights]
    for before, now, after in zip(passed, passed[1:], passed[2:], strict=False):
        if before and not now and after:
            count += 1
    return count
