"""All cases of a run in figures: ``summary.json``, and what every report counts from."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from harness.case.events import StrangerRefused
from harness.case.verdict import NEVER_REPORTED, Verdict, exit_code
from harness.diagnosis.common import CommonDocument
from harness.report.coverage import Coverage, by_row
from harness.report.evidence import CaseEvidence, PlainCase, key_of, names_of, text_of
from harness.report.run_directory import AddedFile, RunEvidence
from harness.report.scope import LeftOutDocument, left_out, missing, unverified_entries
from harness.support.files import json_file, whole_file


@dataclass(kw_only=True)
class Verdicts:
    """How cases ended. ``broken`` includes those that were planned and left no evidence,
    ``not_run``.
    """

    cases: int = 0
    passed: int = 0
    failed: int = 0
    not_observable: int = 0
    broken: int = 0
    not_run: int = 0

    @property
    def shown(self) -> dict[str, int]:
        """The counts as people read them: a case that never ran is not run, and none of those that
        broke.
        """
        counted = {str(verdict): int(getattr(self, verdict.name.lower())) for verdict in Verdict}
        counted[Verdict.BROKEN] -= self.not_run
        if self.not_run:
            counted[NEVER_REPORTED.message] = self.not_run
        return counted


@dataclass(kw_only=True)
class Counts(Verdicts):
    """How cases ended; ``wall_s`` is the sum of their durations, in seconds."""

    wall_s: float = 0.0

    def add(self, verdict: Verdict, wall_s: float) -> None:
        """Count a case."""
        self.cases += 1
        self.wall_s += wall_s
        name = verdict.name.lower()
        setattr(self, name, getattr(self, name) + 1)

    def __iadd__(self, other: Counts) -> Counts:
        for each in dataclasses.fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self


@dataclass(frozen=True, slots=True)
class Stranger:
    """Requests from one address that no deployment file names, or that named a call wrongly."""

    source: str
    requests: int
    methods: tuple[str, ...]  #: the most frequent first
    user_agents: tuple[str, ...]
    #: ``address``: not one of the platform; ``call-id``: it named a call of the harness wrongly.
    why: tuple[str, ...]


def strangers_of(cases: Iterable[CaseEvidence]) -> list[Stranger]:
    """Each caller that was a stranger to these cases, the most frequent first."""
    counts: list[StrangerRefused] = []
    for case in cases:
        counts += case.gist.strangers
    return strangers(counts)


def strangers(counts: Iterable[StrangerRefused]) -> list[Stranger]:
    """Each caller, the most frequent first, from the counts of all cases; cases that share a phone
    have the same counts.
    """
    counted: dict[str, tuple[Counter[str], Counter[str], Counter[str]]] = {}
    last: dict[StrangerRefused, int] = {}
    seen = {dataclasses.replace(event, leg=None, count=0): event for event in counts}
    for event in sorted(seen.values(), key=lambda e: e.at):
        kind = dataclasses.replace(event, at=0.0, count=0)
        before = last.get(kind, 0)
        more = event.count
        if event.count > before:  # else a new lease counts from the beginning
            more -= before
        last[kind] = event.count
        of_source = counted.setdefault(event.source, (Counter(), Counter(), Counter()))
        words = event.method, event.user_agent, event.why
        for counter, word in zip(of_source, words, strict=True):
            if word:
                counter[word] += more
    found = []
    for source, (methods, agents, why) in counted.items():
        stranger = Stranger(
            source,
            requests=methods.total(),
            methods=_by_frequency(methods),
            user_agents=_by_frequency(agents),
            why=_by_frequency(why),
        )
        found.append(stranger)
    return sorted(found, key=lambda one: (-one.requests, one.source))


def _by_frequency(counter: Counter[str]) -> tuple[str, ...]:
    return tuple(word for word, _ in counter.most_common())


class RowsDocument(TypedDict):
    """The rows of an integration, by id."""

    rows: dict[str, Counts]


class PlannedDocument(TypedDict):
    """Planned cases compared with reported ones."""

    planned: int
    missing: list[str]
    unplanned: list[str]


@dataclass(kw_only=True)
class Figures(Verdicts):
    """A run in figures, in the form of ``summary.json``."""

    run: str
    began: float  #: seconds since the epoch
    passed_on_retry: list[str]
    tried_before: dict[str, list[str]]  #: of these, how their earlier attempts ended
    wall_s: float  #: of the run, not the sum
    scripted_s: float
    #: Of the passed cases, wall time over scripted time; others wait for what never comes.
    case_overhead_s_median: float | None
    workers: int
    rows: dict[str, Counts]
    integrations: dict[str, RowsDocument]
    deployments: dict[str, str]  #: name: kind
    versions: dict[str, str]
    planned: PlannedDocument
    interrupted: str
    broke: list[str]  #: what broke outside of any case
    #: Row, of several deployments each one's: how much of it could be seen in the cases that
    #: passed.
    coverage: dict[str, Coverage]
    #: Rows without a case, and numbers that a row does not call now.
    left_out: list[LeftOutDocument]
    unverified: list[str]  #: what the files declare and no case exercises
    strangers: list[Stranger]  #: who called and was not the platform, by address
    required_missing: list[str]  #: rows that had to be run and were not, with why
    faults: list[str]  #: injected on purpose
    as_of: str  #: the moment by which hours were judged, where HARNESS_AS_OF set one; else empty
    made_of: list[str]  #: the runs that it was made of
    witnesses: list[AddedFile]  #: files that others made, added when the run was over


@dataclass(kw_only=True)
class Summary(Figures):
    """``summary.json``: a run in figures."""

    causes: list[CommonDocument] = field(default_factory=list)  #: what failures have in common

    @property
    def missing(self) -> list[str]:
        """Planned cases that left no evidence; they are counted as broken."""
        return self.planned["missing"]

    @property
    def unplanned(self) -> list[str]:
        """Cases that were reported and never planned."""
        return self.planned["unplanned"]

    @property
    def consistent(self) -> bool:
        """Whether exactly the planned cases were reported."""
        return not self.missing and not self.unplanned

    def guide_rows_left_out(self) -> dict[str, list[str]]:
        """Why rows of the guide were not run, or not at every number: each reason with its rows.

        A row is told with its deployments where that reason is not true of all that have it.
        """
        of: dict[tuple[str, str], dict[str, None]] = {}
        reasons: dict[str, set[str]] = {}
        for left in self.left_out:
            if left["documented"]:
                of.setdefault((left["why"], left["row"]), {})[left["deployment"]] = None
                reasons.setdefault(left["row"], set()).add(left["why"])
        found: dict[str, list[str]] = {}
        every = {*self.deployments, *(left["deployment"] for left in self.left_out)}
        for (why, row), deployments in of.items():
            is_everywhere = row not in self.rows and len(reasons[row]) == 1
            named = row
            if len(every) > 1 and not is_everywhere:
                named = f"{row} of {' and '.join(deployments)}"
            found.setdefault(why, []).append(named)
        return found

    @property
    def exit_code(self) -> int:
        """As :func:`harness.case.verdict.exit_code` has it; cases that were not reported, or not
        planned, are the harness's fault.

        Of a run that somebody stopped the command line makes 130 (``harness.run.cli.app``).
        """
        verdicts = [verdict for verdict in Verdict if getattr(self, verdict.name.lower())]
        if self.required_missing:
            verdicts.append(Verdict.FAILED)
        is_whole = self.consistent and not self.interrupted and not self.broke
        return exit_code(verdicts, broke=not is_whole)

    @property
    def figures(self) -> dict[str, Any]:
        """All of it but the causes."""
        return {name: value for name, value in vars(self).items() if name != "causes"}

    def write(self, path: Path) -> None:
        """Write ``summary.json``."""
        whole_file.write(path, json_file.text(self) + "\n")


def _rounded(rows: Mapping[str, Counts]) -> dict[str, Counts]:
    return {
        row: dataclasses.replace(counts, wall_s=round(counts.wall_s, 3))
        for row, counts in rows.items()
    }


def summarise(run: RunEvidence) -> Summary:
    """Add a run up. A planned case without evidence counts as broken, so that ``cases`` is never
    smaller than what was planned.
    """
    scope, end = run.scope, run.end
    reported = {case.key for case in run.cases}
    wanted = {key_of(case) for case in run.planned}
    counted = _counted(run.cases, run.absent)
    total, rows = Counts(), dict[str, Counts]()
    for of_integration in counted.values():
        for row, counts in of_integration.items():
            total += counts
            rows[row] = dataclasses.replace(rows.get(row, Counts()))
            rows[row] += counts
    called = names_of((*reported, *wanted))
    deployments = {text_of(case, "deployment"): text_of(case, "kind") for case in run.everything}
    passed = [case for case in run.cases if case.passed]
    overhead_s = None
    if passed:
        overhead_s = round(statistics.median(case.overhead_s for case in passed), 4)
    retried = [tries for tries in run.tries if tries.passed_on_retry]
    return Summary(
        **{each.name: getattr(total, each.name) for each in dataclasses.fields(Verdicts)},
        run=run.name,
        began=run.began,
        rows=_rounded(rows),
        integrations={name: {"rows": _rounded(found)} for name, found in counted.items()},
        wall_s=round(end.wall_s, 3),
        scripted_s=round(sum(case.scripted_s for case in run.cases), 3),
        case_overhead_s_median=overhead_s,
        workers=end.workers,
        versions=dict(scope.versions),
        deployments=deployments,
        passed_on_retry=[called[tries.counting.key] for tries in retried],
        tried_before={called[tries.counting.key]: tries.before for tries in retried},
        planned={
            "planned": len(wanted),
            "missing": list(dict.fromkeys(called[key_of(case)] for case in run.absent)),
            "unplanned": sorted(called[key] for key in reported - wanted),
        },
        interrupted=end.interrupted,
        broke=list(end.broke),
        left_out=left_out(scope),
        unverified=unverified_entries(scope),
        strangers=strangers_of(run.attempts),
        coverage=by_row((_row_of(case, deployments), case) for case in passed),
        required_missing=missing(scope),
        faults=scope.faults,
        as_of=scope.options.get("as_of", ""),
        made_of=list(end.made_of),
        witnesses=run.witnesses,
    )


def _row_of(case: CaseEvidence, deployments: Mapping[str, str]) -> str:
    """A row's name; where there are several deployments, each sees what its own witnesses let it
    see.
    """
    return f"{case.row} of {case.deployment}" if len(deployments) > 1 else case.row


def _counted(
    cases: Iterable[CaseEvidence], absent: Iterable[PlainCase]
) -> dict[str, dict[str, Counts]]:
    """How the cases of each row of each integration ended."""
    integrations: dict[str, dict[str, Counts]] = {}

    def of(integration: str, row: str) -> Counts:
        return integrations.setdefault(integration, {}).setdefault(row, Counts())

    for evidence in cases:
        of(evidence.integration, evidence.row).add(evidence.verdict, evidence.wall_s)
    for case in absent:
        counts = of(text_of(case, "integration"), text_of(case, "row"))
        counts.add(NEVER_REPORTED.verdict, 0.0)
        counts.not_run += 1
    return integrations
