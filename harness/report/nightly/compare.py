"""Runs of one scope compared: what is new between two of them, and how often a case is flaky over many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from harness.calls.verdict import Verdict
from harness.report.history import Result, Run

#: A case is slower when it takes this much longer than before, both as a factor and in seconds: audio and ring times
#: vary by less on a machine that is not overloaded.
SLOWER_FACTOR, SLOWER_S = 1.5, 2.0


@dataclass(frozen=True)
class Slower(Result):
    """A case that passed and took longer than before."""

    before_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One deployment at one site, in the older and the newer run. Cases by id; each list is in order of rows."""

    deployment: str
    site: str
    old: str
    new: str
    incomparable: str = ""  #: why the two cannot be compared; the lists are then empty
    newly_failing: tuple[Result, ...] = ()
    fixed: tuple[Result, ...] = ()
    still_failing: tuple[Result, ...] = ()
    not_run_before: tuple[Result, ...] = ()  #: passed; the earlier run has no result
    flaky: tuple[Result, ...] = ()  #: passed, but not at the first attempt
    slower: tuple[Slower, ...] = ()
    lost_cases: tuple[Result, ...] = ()  #: as they were
    lost_rows: tuple[str, ...] = ()

    news: bool = False  #: something fails anew, or is not verified any more; follows from the lists

    def __post_init__(self) -> None:
        lost = self.incomparable or self.newly_failing or self.lost_cases or self.lost_rows
        object.__setattr__(self, "news", bool(lost))


def compare(old: Sequence[Run], new: Sequence[Run]) -> list[Difference]:
    """A difference for each deployment and site of either run."""
    then = {(run.deployment, run.site): run for run in old}
    now = {(run.deployment, run.site): run for run in new}
    return [_compare(place, then.get(place), now.get(place)) for place in dict.fromkeys((*then, *now))]


def _compare(place: tuple[str, str], old: Run | None, new: Run | None) -> Difference:
    same: dict[str, Any] = {
        "deployment": place[0],
        "site": place[1],
        "old": old.run if old else "",
        "new": new.run if new else "",
    }
    if old is None or new is None:
        return Difference(**same, incomparable=f"only the {'new' if old is None else 'old'} run verified it")
    if old.key != new.key:
        return Difference(**same, incomparable=_unlike(old, new))
    lists: dict[str, Any] = {}
    for name, result in _told_apart(old, new):
        lists.setdefault(name, []).append(result)
    rows = [{result.row for result in run.results if result.attempts} for run in (old, new)]
    entries: dict[str, Any] = {name: tuple(results) for name, results in lists.items()}
    return Difference(**same, **entries, lost_rows=tuple(sorted(rows[0] - rows[1])))


def _told_apart(old: Run, new: Run) -> Iterator[tuple[str, Result]]:
    """Each case that is in a list of :class:`Difference`, with the list's name. What was never run has no attempts."""
    before = {result.case: result for result in old.results}
    after = {result.case: result for result in new.results}
    for case in sorted({**before, **after}, key=lambda case: ((after.get(case) or before[case]).row, case)):
        then, now = before.get(case), after.get(case)
        had_run = then is not None and then.attempts > 0
        if then is not None and had_run and not (now and now.attempts):
            yield "lost_cases", then
        if now is None:
            continue
        if not _passed(now):
            if then is None or (now.attempts and _fails_anew(then, now)):
                yield "newly_failing", now
            elif now.attempts:
                yield "still_failing", now
            continue
        if now.attempts > 1:
            yield "flaky", now
        if then is None or not had_run:
            yield "not_run_before", now
        elif not _passed(then):
            yield "fixed", now
        elif now.wall_s > then.wall_s * SLOWER_FACTOR and now.wall_s > then.wall_s + SLOWER_S:
            yield "slower", Slower(**vars(now), before_s=then.wall_s)


def _fails_anew(old: Result, new: Result) -> bool:
    """Whether a failure is not known from before: the case had passed or not run, or nothing was known of the system under test
    where that fails now.
    """
    return _passed(old) or not old.attempts or new.verdict == Verdict.FAILED != old.verdict


def _passed(result: Result) -> bool:
    return result.verdict == Verdict.PASSED


def _unlike(old: Run, new: Run) -> str:
    if old.faults != new.faults:
        return f"not the same faults are injected: {', '.join(old.faults) or 'none'} then, {', '.join(new.faults) or 'none'} now"
    then, now = ({result.case: None for result in run.results} for run in (old, new))
    if then.keys() != now.keys():
        alone = {"then": [case for case in then if case not in now], "now": [case for case in now if case not in then]}
        said = "; ".join(f"only {when} {_some(cases)}" for when, cases in alone.items() if cases)
        return f"not the same cases were asked for: {said}"
    return "the deployment file, the timings or the expression of -k are not the same"


def _some(cases: Sequence[str], most: int = 3) -> str:
    more = f" and {len(cases) - most} more" if len(cases) > most else ""
    return ", ".join(cases[:most]) + more


def _ended(result: Any) -> str:
    return f"{result.verdict}: {result.cause}" if result.cause else str(result.verdict)


#: Each list, the news first, with the words for it, and what is said of a case in it.
_LISTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "newly_failing": ("newly failing", _ended),
    "lost_cases": ("not run any more", lambda result: f"{result.verdict} before"),
    "still_failing": ("still failing", _ended),
    "fixed": ("fixed", lambda result: ""),
    "not_run_before": ("not run before", lambda result: str(result.verdict)),
    "flaky": ("flaky (passed on retry)", lambda result: f"{result.attempts} attempts"),
    "slower": ("slower", lambda result: f"{result.wall_s:.1f} s, before {result.before_s:.1f} s"),
}


def lines(difference: Difference) -> Iterable[tuple[str, str, str]]:
    """(what, case, why) for each entry, the news first."""
    if difference.incomparable:
        yield "cannot be compared", f"{difference.deployment} at {difference.site or 'local'}", difference.incomparable
    for row in difference.lost_rows:
        yield "row lost", row, "none of its cases has a result any more"
    for name, (words, why) in _LISTS.items():
        for result in getattr(difference, name):
            yield words, result.case, why(result)


def markdown(differences: Sequence[Difference]) -> str:
    """A table for a comment or a chat."""
    parts = []
    for one in differences:
        parts.append(
            f"### {_cell(one.deployment)} at {_cell(one.site or 'local')}: {_cell(one.old or '–')} → {_cell(one.new or '–')}\n"
        )
        found = list(lines(one))
        if found:
            parts.append("| what | case | why |\n|---|---|---|")
            parts += [f"| {_cell(what)} | {_cell(case)} | {_cell(why)} |" for what, case, why in found]
        else:
            parts.append("No difference.")
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


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

    Nights in which the case broke or was not observable do not count.
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
