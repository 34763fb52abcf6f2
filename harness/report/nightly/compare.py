"""Two runs compared: what is new in the later one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.case.verdict import Verdict
from harness.report.acknowledged import NONE, Acknowledged
from harness.report.history import Cause, Result, Run, changes, shortened
from harness.report.standing import Standings, standings

#: A case is slower when it takes this much longer than before, both as a factor and in seconds:
#: audio and ring times vary by less on a machine that is not overloaded.
SLOWER_FACTOR, SLOWER_S = 1.5, 2.0


@dataclass(frozen=True)
class Slower(Result):
    """A case that passed and took longer than before."""

    before_s: float = 0.0


@dataclass(frozen=True)
class ChangedCause(Result):
    """A case that failed before, too, for another cause."""

    before: tuple[Cause, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One deployment at one site, in the older and the newer run. Cases by id; each list is in
    order of rows.
    """

    deployment: str
    site: str
    old: str
    new: str
    incomparable: str = ""  #: why the two cannot be compared; the lists are then empty
    #: What was not the same in both: injected faults, timings, the deployment file.
    notes: tuple[str, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)  #: case: what the history says of it
    #: Case: by whom all its causes are acknowledged, which makes it no news.
    known: Mapping[str, str] = field(default_factory=dict)
    newly_failing: tuple[Result, ...] = ()
    #: Still failing, for a cause or an owner that is new.
    other_cause: tuple[ChangedCause, ...] = ()
    fixed: tuple[Result, ...] = ()
    still_failing: tuple[Result, ...] = ()
    not_run_before: tuple[Result, ...] = ()  #: passed; the earlier run has no result
    flaky: tuple[Result, ...] = ()  #: passed, but not at the first attempt
    slower: tuple[Slower, ...] = ()
    lost_cases: tuple[Result, ...] = ()  #: as they were
    lost_rows: tuple[str, ...] = ()

    news: bool = False  #: something fails anew, or is not verified any more; follows from the lists

    def __post_init__(self) -> None:
        lost = self.incomparable or self.lost_cases or self.lost_rows
        failing = [*self.newly_failing, *self.other_cause]
        is_news = bool(lost) or any(result.case not in self.known for result in failing)
        object.__setattr__(self, "news", is_news)


def compare(
    old: Sequence[Run],
    new: Sequence[Run],
    past: Sequence[Run] = (),
    acknowledged: Acknowledged = NONE,
) -> list[Difference]:
    """A difference for each deployment and site of either run. ``past``: the runs before the new
    one, oldest first.
    """
    then = {(run.deployment, run.site): run for run in old}
    now = {(run.deployment, run.site): run for run in new}
    said = standings(past, new)
    return [
        _compare(place, then.get(place), now.get(place), said, acknowledged)
        for place in dict.fromkeys((*then, *now))
    ]


def _compare(
    place: tuple[str, str],
    old: Run | None,
    new: Run | None,
    said: Standings,
    acknowledged: Acknowledged,
) -> Difference:
    """One deployment at one site; either run may be missing there."""
    same: dict[str, Any] = {
        "deployment": place[0],
        "site": place[1],
        "old": old.run if old else "",
        "new": new.run if new else "",
    }
    if old is None:
        return Difference(**same, incomparable="only the new run verified it")
    if new is None:
        return Difference(**same, incomparable="only the old run verified it")
    has_other_timings = old.key != new.key and old.faults == new.faults
    lists: dict[str, tuple[Result, ...]] = {}
    for name, result in _told_apart(old, new):
        if name != "slower" or not has_other_timings:
            lists[name] = (*lists.get(name, ()), result)
    since, known_cases = {}, {}
    for result in new.results:
        if words := said.get((new.site, result.case)):
            since[result.case] = words
        if by_whom := known(result.causes, new.deployment, acknowledged):
            known_cases[result.case] = by_whom
    return Difference(
        **same,
        **lists,  # type: ignore[arg-type]
        lost_rows=tuple(sorted(_rows_run(old) - _rows_run(new))),
        notes=tuple(_unlike(old, new, has_other_timings=has_other_timings)),
        since=since,
        known=known_cases,
    )


def _rows_run(run: Run) -> set[str]:
    return {result.row for result in run.results if result.attempts}


def _told_apart(old: Run, new: Run) -> Iterator[tuple[str, Result]]:
    """Each case that is in a list of :class:`Difference`, with the list's name. What was never run
    has no attempts.
    """
    before = {result.case: result for result in old.results}
    after = {result.case: result for result in new.results}
    either = {**before, **after}
    for case in sorted(either, key=lambda case: (either[case].row, case)):
        then, now = before.get(case), after.get(case)
        had_run = then is not None and then.attempts > 0
        has_run = now is not None and now.attempts > 0
        if then is not None and had_run and not has_run:
            yield "lost_cases", then
        if now is None:
            continue
        if not now.passed:
            if then is None:
                yield "newly_failing", now
            elif now.attempts:
                yield _failing(then, now)
            continue
        if now.attempts > 1:
            yield "flaky", now
        if then is None or not had_run:
            yield "not_run_before", now
        elif not then.passed:
            yield "fixed", now
        elif now.wall_s > then.wall_s * SLOWER_FACTOR and now.wall_s > then.wall_s + SLOWER_S:
            yield "slower", Slower(**vars(now), before_s=then.wall_s)


def _failing(then: Result, now: Result) -> tuple[str, Result]:
    """A failure is new where the case had passed or not run, or nothing was known of the system
    under test where that fails now.
    """
    if then.passed or not then.attempts:
        return "newly_failing", now
    if now.verdict == Verdict.FAILED and then.verdict != Verdict.FAILED:
        return "newly_failing", now
    if then.verdict is now.verdict and set(now.causes) - set(then.causes):
        return "other_cause", ChangedCause(**vars(now), before=then.causes)
    return "still_failing", now


def _unlike(old: Run, new: Run, *, has_other_timings: bool) -> Iterator[str]:
    if old.faults != new.faults:
        then, now = (", ".join(run.faults) or "none" for run in (old, new))
        yield f"faults were injected on purpose: {then} then, {now} now"
    if has_other_timings:
        yield "the timings are not the same"
    if old.content and new.content and (changed := changes(old.content, new.content)):
        yield f"the deployment file is not the same: {shortened(changed)}"


def known(causes: Sequence[Cause], deployment: str, acknowledged: Acknowledged) -> str:
    """By whom all of these causes are acknowledged; empty where one is not."""
    said = [acknowledged.of(cause.id, deployment) for cause in causes]
    return "; ".join(dict.fromkeys(said)) if all(said) else ""


def _changed(result: ChangedCause) -> str:
    now, before = ("; ".join(map(str, causes)) for causes in (result.causes, result.before))
    return f"{result.verdict}: {now}; before: {before or 'no cause'}"


def _ended(result: Any) -> str:
    return f"{result.verdict}: {result.cause}" if result.cause else str(result.verdict)


#: Each list, the news first, with the words for it, and what is said of a case in it.
_LISTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "newly_failing": ("newly failing", _ended),
    "other_cause": ("failing for another cause", _changed),
    "lost_cases": ("not run any more", lambda result: f"{result.verdict} before"),
    "still_failing": ("still failing", _ended),
    "fixed": ("fixed", lambda result: ""),
    "not_run_before": ("not run before", lambda result: str(result.verdict)),
    "flaky": ("flaky (passed on retry)", lambda result: f"{result.attempts} attempts"),
    "slower": ("slower", lambda result: f"{result.wall_s:.1f} s, before {result.before_s:.1f} s"),
}

#: Lists whose cases are shown by cause: the first of each, and how many more.
_BY_CAUSE = ("newly_failing", "other_cause", "still_failing")


def lines(difference: Difference) -> Iterable[tuple[str, str, str]]:
    """(what, case, why) for each entry, the news first."""
    if difference.incomparable:
        place = f"{difference.deployment} at {difference.site or 'local'}"
        yield "cannot be compared", place, difference.incomparable
    for note in difference.notes:
        yield "note", note, ""
    for row in difference.lost_rows:
        yield "row lost", row, "none of its cases has a result any more"
    for name, (words, why) in _LISTS.items():
        cases: dict[tuple[int, str], list[str]] = {}  # those of one cause together
        for number, result in enumerate(getattr(difference, name)):
            said = (
                why(result),
                difference.since.get(result.case),
                difference.known.get(result.case),
            )
            reason = "; ".join(filter(None, said))
            key = (0 if name in _BY_CAUSE else number, reason)
            cases.setdefault(key, []).append(result.case)
        for (_, reason), (first, *others) in cases.items():
            which = f"{first} and {len(others)} more" if others else first
            yield words, which, reason


def markdown(differences: Sequence[Difference]) -> str:
    """A table for a comment or a chat."""
    parts = []
    for one in differences:
        place = f"{_cell(one.deployment)} at {_cell(one.site or 'local')}"
        parts.append(f"### {place}: {_cell(one.old or '–')} → {_cell(one.new or '–')}\n")
        found = list(lines(one))
        if found:
            parts.append("| what | case | why |\n|---|---|---|")
            parts += [f"| {' | '.join(map(_cell, line))} |" for line in found]
        else:
            parts.append("No difference.")
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
