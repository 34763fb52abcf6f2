"""ACCEPTED, ACCEPTED WITH WAIVERS or NOT ACCEPTED: decided from a run's evidence alone, with every
reason.

No record on disk is taken at its word: verdicts are derived from the findings again, files are held
against the manifest of the run's end, and what was never run counts as much as what failed.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from harness.report.causes import CauseGroup, grouped
from harness.report.evidence import CaseEvidence, CaseKey, key_of, text_of
from harness.report.markup import number_of
from harness.report.run_directory import RunEvidence
from harness.report.scope import Scope, unverified_entries
from harness.report.signoff import manifest
from harness.report.signoff.rows import (
    NOT_RUN,
    PARTLY_RUN,
    JudgedCase,
    RowResult,
    Waiver,
    check_waivers,
    judge,
    narrowing,
    results,
)
from harness.report.summary import strangers_of
from harness.support.files import json_file
from harness.support.mask import mask_text

_REQUEST_URI = re.compile(r"INVITE (?:sips?|tel):([^@;>\s]+)")


class Acceptance(StrEnum):
    """What the document says in one word or three."""

    ACCEPTED = "ACCEPTED"
    WITH_WAIVERS = "ACCEPTED WITH WAIVERS"
    NOT_ACCEPTED = "NOT ACCEPTED"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Everything the document says."""

    evidence: RunEvidence
    reasons: tuple[str, ...]  #: why it is not accepted
    rows: tuple[RowResult, ...]
    cases: tuple[JudgedCase, ...]
    planned: int
    remarks: tuple[str, ...]
    preflight: tuple[str, ...]  #: what preflight found wrong or doubtful
    numbers: Mapping[str, int]  #: dialled, masked → how often
    waivers: tuple[Waiver, ...]  #: those that count
    expired: tuple[Waiver, ...]
    contradictions: tuple[str, ...]

    @property
    def outcome(self) -> Acceptance:
        """Accepted, where each reason against it has a waiver."""
        if self.reasons:
            return Acceptance.NOT_ACCEPTED
        return Acceptance.WITH_WAIVERS if self.waivers else Acceptance.ACCEPTED

    @property
    def scope(self) -> Scope:
        """What the run was asked to verify."""
        return self.evidence.scope

    @property
    def kinds(self) -> set[str]:
        """What kinds of deployment were verified."""
        found: set[str] = {one.kind for one in self.scope.deployments}
        return found | {text_of(one.case.case, "kind") for one in self.cases} - {""}

    @property
    def simulated(self) -> bool:
        """Whether the platform, or a part of it, was simulated."""
        return "simulated" in self.kinds

    @cached_property
    def to_mend(self) -> list[CauseGroup]:
        """Cases that did not pass and have no waiver, by cause."""
        cases = [one.case for one in self.cases]
        return grouped([case for case in cases if _place(case) not in self._waived_places])

    @cached_property
    def waived(self) -> list[CauseGroup]:
        """Cases that did not pass and have a waiver, by cause."""
        cases = [one.case for one in self.cases]
        places = self._waived_places
        return grouped([case for case in cases if case.passed or _place(case) in places])

    @cached_property
    def _waived_places(self) -> set[tuple[str, str]]:
        return {(row.deployment, row.scope.row) for row in self.rows if row.waiver is not None}

    @property
    def counts(self) -> dict[str, int]:
        """How many cases ended in which way."""
        return dict(Counter(str(one.verdict) for one in self.cases))

    @property
    def row_counts(self) -> dict[str, int]:
        """How many rows ended in which way."""
        return dict(Counter(str(row.verdict) for row in self.rows).most_common())


def decide(
    run: RunEvidence,
    waivers: Sequence[Waiver] = (),
    *,
    today: datetime.date,
    source: Path | None = None,
    is_sealed: bool = False,
) -> Decision:
    """Decide on a run. Raises :class:`MistakeError` when a waiver speaks of no row of it.

    ``is_sealed``: the caller has just compared its files with the manifest, or written that.
    """
    scope = run.scope
    judged = []
    for case in run.cases:
        required = scope.required.get(case.id, {})
        judged.append(judge(case, required, by_log=not is_sealed))
    planned = set(map(key_of, run.planned))
    expired = [waiver for waiver in waivers if waiver.expired(today)]
    valid = tuple(waiver for waiver in waivers if waiver not in expired)
    if scope.is_known:
        known: list[tuple[str, str]] = []
        for deployment in scope.deployments:
            known += [(deployment.name, row.row) for row in deployment.rows]
        check_waivers(waivers, known, source or Path("waivers"), today=today)
    rows = results(scope, judged, planned, valid)
    contradictions = [one.contradiction for one in judged if one.contradiction]
    reasons = list(_about_the_run(run, judged, planned))
    if run.has_end and not is_sealed:
        reasons += _about_the_files(run.directory)
    reasons += contradictions
    reasons += _blocks(rows, judged, scope)
    short = [row for row in rows if row.short]
    used = tuple(waiver for waiver in valid if any(row.waiver is waiver for row in short))
    unused = [waiver for waiver in valid if waiver not in used]
    # each shard of a fleet's run has looked again
    preflight = tuple(dict.fromkeys(_preflight(run.directory)))
    return Decision(
        evidence=run,
        reasons=tuple(reasons),
        rows=rows,
        cases=tuple(judged),
        planned=len(planned),
        remarks=tuple(_remarks(run, judged, unused, expired)),
        preflight=preflight,
        numbers=_numbers(run.attempts),
        waivers=used,
        expired=tuple(expired),
        contradictions=tuple(contradictions),
    )


def _about_the_run(
    run: RunEvidence, judged: Sequence[JudgedCase], planned: set[CaseKey]
) -> Iterable[str]:
    """What no waiver mends."""
    if not run.scope.is_known:
        yield "The run left no record of its scope, so what was left out is not known."
    if run.end.interrupted:
        yield f"The run was interrupted: {run.end.interrupted}."
    for what in run.end.broke:
        yield f"The harness broke outside of any case: {what}."
    if not judged:
        yield "No case ran."
    if run.scope.faults:
        yield f"Faults were injected on purpose: {', '.join(run.scope.faults)}."
    if unplanned := sorted({one.case.key for one in judged} - planned):
        names = ", ".join(case for _, case in unplanned[:5])
        yield f"Cases were reported that were not planned: {names}."
    # an open record may end amid a line: its worker died
    closed = [one.case for one in judged if one.case.closed]
    if damaged := [case.id for case in closed if case.damaged_lines]:
        yield f"The record of events cannot be read whole: {', '.join(damaged[:5])}."


def _about_the_files(run: Path) -> Iterable[str]:
    differing = ["there is no manifest"]
    if (run / manifest.FILE).exists():
        differing = manifest.differences(run)
    if differing:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        yield f"The evidence is not as the run left it: {'; '.join(differing[:5])}{more}."


def _blocks(rows: Sequence[RowResult], judged: Sequence[JudgedCase], scope: Scope) -> Iterable[str]:
    """A sentence for each cause, or other reason, of rows without a waiver; rows that were left out
    share one sentence.
    """
    several = len({row.deployment for row in rows}) > 1
    blocking = {(row.deployment, row.scope.row): row for row in rows if row.blocks}
    names = {place: f"{place[1]} of {place[0]}" if several else place[1] for place in blocking}
    consistent = [one.case for one in judged if not one.contradiction]
    fell = [case for case in consistent if _place(case) in blocking]
    short: dict[tuple[str, str], list[str]] = {}
    explained = set()
    for group in grouped(fell):
        places = list(dict.fromkeys(map(_place, group.cases)))
        why = group.headline.removeprefix(f"{group.verdict}: ")
        short.setdefault((str(group.verdict), why), []).extend(names[place] for place in places)
        explained |= set(places)
    left_out = []
    for place, row in blocking.items():
        if row.verdict == NOT_RUN and row.scope.cases:
            left_out.append(names[place])
        elif row.verdict in (NOT_RUN, PARTLY_RUN):
            left_out.append(f"{names[place]} ({row.why})")
        elif row.why or place not in explained:
            why = row.why or "; ".join(row.causes[:2])
            short.setdefault((row.verdict, why), []).append(names[place])
    for (verdict, why), members in short.items():
        ended = f"{verdict} ({why})" if why else verdict
        yield f"{', '.join(members)}: {ended}."
    if left_out:
        narrowed = narrowing(scope.options)
        by = f", where the run was narrowed by {narrowed}" if narrowed else ""
        yield f"Rows were not run, or not completely{by}: {', '.join(left_out)}."


def _place(case: CaseEvidence) -> tuple[str, str]:
    return case.deployment, case.row


def _strangers(every: Sequence[CaseEvidence]) -> Iterable[str]:
    found = strangers_of(every)
    if found:
        requests = sum(one.requests for one in found)
        sources = [one.source for one in found]
        named = ", ".join(sources[:5])
        if len(sources) > 5:
            named += ", …"
        counted = number_of(len(sources), "address", "addresses")
        yield f"Requests of strangers that got no answer: {requests}, from {counted} ({named})."


def _remarks(
    run: RunEvidence,
    judged: Sequence[JudgedCase],
    unused: Sequence[Waiver],
    expired: Sequence[Waiver],
) -> Iterable[str]:
    """What a signer should know; it decides nothing."""
    scope, options = run.scope, run.scope.options
    if narrowed := narrowing(options):
        yield f"Only a part was asked for: {narrowed}."
    # of a run made of others the timings are those of each
    is_quick = "quick" in str(options.get("timings")).split(", ")
    if is_quick and any(d.kind == "simulated" for d in scope.deployments):
        yield "Timings that the guides let one set were scaled down (--timings quick)."
    if options.get("as_of"):
        yield f"Hours were judged as of {options['as_of']}, which HARNESS_AS_OF set."
    if options.get("no_manual"):
        yield "No person was asked to start anything (--no-manual): rows that need a person were not observable."
    if made_of := list(run.end.made_of):
        names = ", ".join(made_of) if len(made_of) < 5 else f"{len(made_of)} runs"
        yield f"The run was made of others: {names}."
    for tries in run.tries:
        if tries.passed_on_retry:
            ended = "; ".join(tries.before) or "an earlier attempt left no result"
            yield f"Passed on retry: {tries.counting.id} ({ended})."
    stand_ins = sum(one.case.axes.get("ai") == "stand-in" for one in judged)
    if stand_ins:
        yield f"In {stand_ins} of {len(judged)} cases the AI was a stand-in, a softphone of the harness."
    yield from _strangers(run.attempts)
    for deployment in scope.deployments:
        for row, why in dict(deployment.content.get("leave_out") or {}).items():
            yield f"{deployment.name} leaves out {row}: {why}"
    for entry in unverified_entries(scope):
        yield f"Declared, not verified: {entry}."
    for waiver in unused:
        yield f"A waiver of {waiver.what} ({waiver.who}) was not needed."
    for waiver in expired:
        yield f"The waiver of {waiver.what} ({waiver.who}) ran until {waiver.until} and does not count."


def _preflight(run: Path) -> Iterable[str]:
    """A line for each thing that preflight did not find in order."""
    try:
        found = []
        for report in json_file.read(run / "preflight.json"):
            for line in report["lines"]:
                if line["status"] != "ok":
                    found.append(_looked(report, line))
        return found
    except FileNotFoundError:
        return ["Preflight was not run."]
    except (ValueError, TypeError, KeyError, AttributeError):
        return ["What preflight found cannot be read."]


def _looked(report: Mapping[str, str], line: Mapping[str, str]) -> str:
    fix = f" {line['fix']}" if line.get("fix") else ""
    return f"{report['deployment']}: {line['name']}: {line['status']}: {line['detail']}{fix}"


def _numbers(cases: Iterable[CaseEvidence]) -> dict[str, int]:
    """What the harness's own phones have dialled, masked, attempts included."""
    counts: Counter[str] = Counter()
    for case in cases:
        for invite in case.gist.invites:
            request_line, _, _ = invite.partition("\n")
            if found := _REQUEST_URI.match(mask_text(request_line)):
                counts[found[1]] += 1
    return dict(sorted(counts.items()))
