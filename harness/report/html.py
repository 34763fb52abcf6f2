"""The report of a run: one HTML file that needs nothing else, opens anywhere, and reads on a phone
and in print.

Each case is listed, and opens: what failed and why first, then the call, then everything else.
Cases that did not pass stand in the page, up to a number that a page prints at once. All others are
kept deflated until they are opened, as is the text that a search goes through. In a run of very
many cases these lie in files beside the page. A case that passed is made as it is read, and the
cases of a large run on all cores.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from harness import integrations
from harness.case.checks.responsiveness import ResponseTime
from harness.case.events import phone_of
from harness.case.verdict import ORDER, Finding, Verdict
from harness.diagnosis.catalogue import owner_in_words, person_of
from harness.report import matrix
from harness.report.callfacts import (
    LegFacts,
    Measured,
    call_facts,
    numbers_of,
    response_times,
    rtp_table,
    table_of,
    times,
)
from harness.report.causes import CauseGroup
from harness.report.coverage import coverage, declared, labels
from harness.report.drawings import Ladder, ladder_svg, timeline_svg
from harness.report.evidence import CaseEvidence, PlainCase
from harness.report.flow import Arrow, arrows, first_line, messages_of, named_in, sdp_summary
from harness.report.hearing import COLUMNS, Hearing, figures, hearings
from harness.report.history import Run, shortened
from harness.report.markup import (
    explain_command,
    owner_command,
    render,
    short_path,
    template_of,
    verify_command,
)
from harness.report.owners import page_of
from harness.report.pcap import CAPTURE
from harness.report.processes import in_batches
from harness.report.run_directory import RunEnd, RunEvidence
from harness.report.standing import Past
from harness.report.summary import Summary
from harness.support.files import json_file, whole_file

#: So many cases that did not pass stand in the page, and print; each has some 80 kB.
MOST_INLINE = 20
#: The report is one file up to so many cases. Beyond, a page would take seconds to open, and 23 kB
#: a case.
MOST_WHOLE = 300
#: Where a larger run's cases lie, some in one script: a page that was opened from a file may load
#: nothing else.
PARTS = "report.parts"
#: What an axis is called where a reader chooses by it, if not by its name.
_AXES = {
    "ai": "AI",
    "number": "line",
    "ask": "way to ask",
    "form": "form of the number",
    "caller_id": "caller ID shown",
    "selector": "routing selector",
    "refer": "treatment of REFER",
}
#: How many earlier runs a trend shows.
_MOST_PAST = 12
_WAV_HEADER = 44
#: A run's name as the harness gives it: when it began, and its process.
_RUN = re.compile(r"\b(\d{8}T\d{6}Z)(?:-\w+)+")
#: Header lines left out of the text that the page's search goes through.
_DULL = re.compile(
    r"^(?:via|v|max-forwards|content-length|l|content-type|c|cseq|allow|supported|[a-z]=)\b",
    re.IGNORECASE,
)


# -- the page


#: Makes another view of a case, of its evidence, its ladder, and what the history says of it.
Beside = Callable[[CaseEvidence, Ladder, str], object]


@dataclass(frozen=True, kw_only=True)
class Making:
    """What the parts of a page have in common, whatever is found in its cases."""

    home: Path  #: the report's directory
    end: RunEnd
    parts: Path | None = None  #: where cases lie as files of their own, where they do
    beside: Beside | None = None  #: called for each case while its events are in memory

    @classmethod
    def of(cls, home: Path, end: RunEnd, attempts: int, beside: Beside | None = None) -> Making:
        """For a run that left so many attempts at cases."""
        parts = home / PARTS if attempts > MOST_WHOLE else None
        if parts is not None:
            parts.mkdir(exist_ok=True)  # the page before keeps its own until this one is written
        return cls(home=home, end=end, parts=parts, beside=beside)

    def command(self, case: CaseEvidence) -> str:
        """The command of the run that the case is of."""
        return self.end.made_of.get(str(case.case.get("run")), self.end.command)


def write(
    path: Path,
    run: RunEvidence,
    summary: Summary,
    past: Past | None = None,
    making: Making | None = None,
    views: Mapping[str, CaseView] = MappingProxyType({}),
) -> list[Measured]:
    """Write the report to ``path``. Returns the times of the cases that passed, which were measured
    for it.

    ``views``: of cases that passed, by their directories' names, as :func:`read` made them.
    """
    known = past or Past()
    cases = run.cases
    groups = run.groups
    making = making or Making.of(path.parent, run.end, len(run.attempts))
    parts = making.parts
    tables = sorted(matrix.of_run(run), key=matrix.Table.worst)  # red sites first
    listed = _listed(run, tables, known)
    early = [_early(task, making, views) for task in listed]
    others = [task for task, view in zip(listed, early, strict=True) if view is None]
    late = in_batches(partial(make, making), others)
    shown = [view or next(late) for view in early]
    index = packed(json.dumps([view.words for view in shown]))
    if parts:
        _write_part(parts, "index", {"index": index})
    seen_in_part = {row: found for row, found in summary.coverage.items() if found.unseen}
    titles = {line.row: line.title for table in tables for line in table.lines}
    absent_rows, not_everywhere = _left_out(summary, tables)
    axes = _axes(cases)
    fields = list(map(_fields, listed, shown))
    text = render(
        "report.html.j2",
        summary=summary,
        when=f"{datetime.fromtimestamp(summary.began, UTC):%Y-%m-%d %H:%M:%S} UTC"
        if summary.began
        else "no case began",
        tables=tables,
        link=matrix.Table.link,
        person_of=person_of,
        owner_command=partial(owner_command, short_path(path.parent)),
        trends=_trends(known.runs),
        past=known,
        compared=str(past) if past and (groups or past.standings) else "",
        changed={name: shortened(lines) for name, lines in known.changed.items()},
        open_tables=_open(tables),
        titles=titles,
        rows=_by_row(fields, titles),
        causes=groups,
        standings=list(map(known.of_group, groups)),
        whole_runs=whole_runs,
        listen=_listen,
        page_of=page_of,
        parts=PARTS if parts else "",
        most_inline=MOST_INLINE,
        index="" if parts else index,
        cases=fields,
        verdicts=Counter(case["verdict"] for case in fields),
        owner_in_words=owner_in_words,
        platform=integrations.title,
        without=matrix.WITHOUT,
        absent=run.absent,
        absent_rows=absent_rows,
        not_everywhere=not_everywhere,
        seen_in_part=seen_in_part,
        rows_seen_in_part=len(
            {row.partition(" of ")[0] for row in seen_in_part}
        ),  # as the table of rows has them
        axes=axes,
        headline=headline(summary),
    )
    whole_file.write(path, text)
    if parts is None:
        shutil.rmtree(path.parent / PARTS, ignore_errors=True)
    else:
        _drop_others(parts, {"index", *(view.part for view in shown)})
    return [time for view in shown for time in view.times]


def _drop_others(parts: Path, kept: Container[str]) -> None:
    """Drop the parts of an earlier page."""
    for path in parts.glob("*.js"):
        if path.stem not in kept:
            path.unlink()


def _early(task: Task, making: Making, views: Mapping[str, CaseView]) -> CaseView | None:
    """The view of a case that was made when it was read; None where it counts as something else, or
    the history says what the view beside it has to say as well.
    """
    if not task.case.passed or (making.beside and task.standing):
        return None
    return views.get(task.case.directory.name)


def _listed(run: RunEvidence, tables: Sequence[matrix.Table], past: Past) -> list[Task]:
    """The cases in the order of the list: by row, rows with what did not pass first; in a row, what
    did not pass first.
    """
    group_of: dict[int, list[CauseGroup]] = {}
    for group in run.groups:
        for case in group.cases:
            group_of.setdefault(id(case), []).append(group)
    first = {id(group.cases[0]) for group in run.groups}
    places = places_of(case.case for case in run.cases)
    every = dict.fromkeys(line.row for table in tables for line in table.lines)
    rows = {row: number for number, row in enumerate(every)}
    fell = {case.row for case in run.cases if not case.passed}
    ordered = sorted(
        run.cases,
        key=lambda case: (
            case.row not in fell,
            rows[case.row],
            ORDER.index(case.verdict),
            case.integration,
            case.id,
        ),
    )
    tasks = []
    for index, case in enumerate(ordered):
        groups, is_first = group_of.get(id(case), []), id(case) in first
        owners = dict.fromkeys(name for group in groups for name in _owners(group))
        task = Task(
            case=case,
            causes=[group.anchor for group in groups],
            owners=list(owners),
            inline=not case.passed and (index < MOST_INLINE or is_first),
            is_first=is_first,
            places=places,
            standing=past.of([case]),
        )
        tasks.append(task)
    return tasks


def _owners(group: CauseGroup) -> list[str]:
    """Whose the cause is, by the table's word and by the name of the person, in a line each: a
    case's owners stand in one attribute.
    """
    owner = " ".join(group.said("owner").split())
    person = person_of(owner)
    return [name for name in (owner, person.name if person else "") if name]


def _listen(group: CauseGroup) -> tuple[str, str] | None:
    """The case, by its id in the page, and the leg whose recording shows the cause; None where
    nothing was recorded.
    """
    case = next((one for one in group.cases if one.recordings), None)
    if case is None:
        return None
    failed = (one for one in case.findings if one.verdict is not Verdict.PASSED)
    named = [name for one in failed for name in (one.listener, one.subject) if name]
    recorded = [one.leg for one in case.recordings if one.received]
    shown = [leg for name in named for leg in recorded if name in (leg, phone_of(leg))]
    callers = [leg for leg in recorded if leg.startswith("caller")]
    leg = next(iter([*shown, *callers, *recorded]), "")
    return (key_of(case), leg) if leg else None


def whole_runs(standing: str) -> Markup:
    """The words, with the names of runs short, never broken, and in full as a tooltip."""
    return Markup(_RUN.sub(r'<span class="run" title="\g<0>">\1</span>', str(escape(standing))))


def key_of(case: CaseEvidence) -> str:
    """The case's id in the page, the same in every report that is made of it."""
    return re.sub(r"[^\w.+-]", "_", case.directory.name)


def headline(summary: Summary) -> tuple[str, str]:
    """The run in one verdict and one sentence."""
    broke = summary.shown[Verdict.BROKEN]
    more = f", {broke} broke" if broke else ""
    if summary.interrupted:  # most of what broke never began
        more = ", and the run was interrupted"
    if summary.failed:
        return "failed", f"{summary.failed} of {summary.cases} cases failed{more}"
    if summary.required_missing:
        return "failed", f"Required, and not run: {'; '.join(summary.required_missing)}{more}"
    if summary.not_observable:
        return (
            "not observable",
            f"{summary.not_observable} of {summary.cases} cases could not be observed{more}",
        )
    if summary.interrupted:
        return (
            "broken",
            f"Interrupted: {summary.interrupted}; {summary.passed} of {summary.cases} cases passed",
        )
    if broke:
        return (
            "broken",
            f"{broke} of {summary.cases} cases broke: nothing is known about the system in them",
        )
    if summary.not_run:
        return "broken", f"{summary.not_run} of {summary.cases} cases did not run"
    if not summary.passed:
        return "broken", "No case ran"
    words = f"{summary.passed} cases passed" if summary.passed > 1 else "1 case passed"
    if summary.unplanned:
        return "broken", f"{words}, of which {len(summary.unplanned)} had not been planned"
    if summary.broke:
        return "broken", f"{words}, but the harness broke outside of them"
    if again := len(summary.passed_on_retry):
        words += ", on retry" if summary.passed == 1 else f", {again} of them on retry"
    return "passed", words if summary.passed == 1 else f"All {words}"


def _open(tables: Sequence[matrix.Table]) -> list[str] | None:
    """The deployments of which something did not pass, whose tables stand open; None for all, where
    all passed.
    """
    passed = str(Verdict.PASSED)
    return [
        table.deployment for table in tables if any(line.verdict != passed for line in table.run)
    ] or None


def _by_row(
    cases: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> list[tuple[str, str, matrix.Cell, list[Mapping[str, Any]]]]:
    """The list of cases as it is grouped: a row's id, title, verdicts and cases."""
    found = []
    for row, group in itertools.groupby(cases, key=lambda case: str(case["row"])):
        members = list(group)
        verdicts = matrix.Cell(Counter(str(case["verdict"]) for case in members))
        found.append((row, titles[row], verdicts, members))
    return found


def _trends(past: Sequence[Run]) -> dict[str, dict[str, list[tuple[str, Verdict]]]]:
    """Of each deployment and row the verdict in each earlier run, the worst of its sites."""
    found: dict[str, dict[str, dict[str, tuple[str, Verdict]]]] = {}
    for run in past:
        for row, verdict in run.rows.items():
            of_row = found.setdefault(run.deployment, {}).setdefault(row.rpartition("/")[2], {})
            when, known = of_row.get(run.run, (run.when, Verdict.PASSED))
            of_row[run.run] = when, min(known, Verdict(verdict), key=ORDER.index)
    return {
        deployment: {row: list(runs.values())[-_MOST_PAST:] for row, runs in rows.items()}
        for deployment, rows in found.items()
    }


def _left_out(summary: Summary, tables: Sequence[matrix.Table]) -> tuple[int, dict[str, list[str]]]:
    """How many rows of the guide were not run, which the matrix shows; and why rows were not run at
    every number, each reason once.
    """
    run = {(table.deployment, line.row) for table in tables for line in table.run}
    several = len({table.deployment for table in tables}) > 1
    absent, found = set(), dict[str, list[str]]()
    for left in summary.left_out:
        if (left["deployment"], left["row"]) in run:
            name = f"{left['row']} of {left['deployment']}" if several else left["row"]
            found.setdefault(left["why"], []).append(name)
        elif left["documented"]:
            absent.add(left["row"])
    return len(absent), found


def _axes(cases: Sequence[CaseEvidence]) -> dict[str, tuple[str, list[str]]]:
    """Those of which there are several values, deployment and site among them: what a reader calls
    them, and the values.
    """
    every = [case.case for case in cases]
    found = {name: {place_of(case, name) for case in every} for name in places_of(every)}
    for case in cases:
        for name, value in case.axes.items():
            found.setdefault(name, set()).add(value)
    for name in found.keys() - _AT.keys():
        if any(name not in case.axes for case in cases):
            found[name].add(matrix.WITHOUT)
    several = {name: sorted(values) for name, values in found.items() if len(values) > 1}
    return {
        name: (_AXES.get(name, name.replace("_", " ")), values) for name, values in several.items()
    }


# -- a case


@dataclass(frozen=True)
class CasePage:
    """A case with what is known of its calls. ``key`` is the page's id for it, ``home`` the
    report's directory.
    """

    key: str
    case: CaseEvidence
    home: Path
    command: str  #: the run's own
    flow: Sequence[Arrow]
    ladder: Ladder
    quality: Sequence[Sequence[str]]  #: a header, then a row a leg
    legs: Sequence[LegFacts]
    response_times: Sequence[ResponseTime]

    @classmethod
    def of(cls, case: CaseEvidence, home: Path, command: str) -> CasePage:
        flow = arrows(case)
        quality = figures(case)
        return cls(
            key_of(case),
            case,
            home,
            command,
            flow,
            Ladder.of(case, flow),
            quality,
            call_facts(case, flow, quality),
            response_times(case),
        )

    def words(self) -> str:
        """What a search goes through: names, Call-IDs, numbers, and the text of the messages, each
        line once.
        """
        every = dict.fromkeys(line for arrow in self.flow for line in arrow.text.splitlines())
        lines = [line for line in every if line and not _DULL.match(line)]
        case = self.case
        besides = (str(cause.get("cause") or "") for cause in case.causes_besides)
        subjects = (finding.subject for finding in case.findings)  # phones, groups and assistants
        said = (
            case.id,
            case.title,
            case.headline,
            *besides,
            *case.axes.values(),
            *subjects,
            *lines,
        )
        return "\n".join(dict.fromkeys(said)).lower()

    def html(self, *, linked: bool = False) -> str:
        """The case's part of the page; ``linked``: its pictures and recordings stay files, and play
        from there.
        """
        case = self.case
        heard = hearings(case)
        if linked:
            heard = [self._linked(hearing) for hearing in heard]
        findings = messages_of(self.flow, case.findings)
        shown = case.first_cause.get("evidence")
        shown_by = [str(line) for line in shown] if isinstance(shown, list | tuple) else []
        run = short_path(self.home)
        return render(
            "case.html.j2",
            key=self.key,
            case=case,
            coverage=coverage(case.findings, case.gist.ours),
            declared=declared(case),
            shown_by=shown_by,
            shown_in=named_in(shown_by, self.flow),
            failed=[
                (finding, numbers)
                for finding, numbers in findings
                if finding.verdict is not Verdict.PASSED and not _is_excused(case, finding)
            ],
            findings=findings,
            commands={
                "Explain": explain_command(run, case),
                "Run it again": verify_command(self.command, case),
            },
            call=table_of(self.legs),
            response_times=self.response_times,
            step_verdict=lambda step: str(step.verdict(case.findings)),
            ladder=Markup(ladder_svg(self.ladder, anchors=f"{self.key}-"))
            if case.messages
            else None,
            timeline=Markup(timeline_svg(case, heard)) if case.legs else None,
            players=[player_of(hearing, case, self.home) for hearing in heard],
            quality=self.quality,
            columns=COLUMNS,
            rtp=rtp_table(case),
            messages=[
                (message, first_line(message.event.text), sdp_summary(message.event.text))
                for message in case.messages
            ],
            records=[(r, json_file.lines(r.record)) for r in case.far_end],
            files=self._files(),
        )

    def _linked(self, hearing: Hearing) -> Hearing:
        received = hearing.recording.received
        if received is None or not hearing.player:
            return hearing
        picture, player = (
            link(received.with_suffix(suffix), self.home) for suffix in (".png", ".mp3")
        )
        return replace(hearing, picture=picture, player=player)

    def _files(self) -> list[tuple[str, str]]:
        capture = self.case.directory / CAPTURE
        named = [("capture for Wireshark", capture)] if capture.is_file() else []
        named += [(item.name, item.path) for item in self.case.attachments if item.path.is_file()]
        named.append(("all evidence", self.case.directory))
        return [(name, link(path, self.home)) for name, path in named]


def _is_excused(case: CaseEvidence, finding: Finding) -> bool:
    """Whether the case may do without what could not be seen: it ended as it did by other findings."""
    if not finding.dispensable or finding.verdict is not Verdict.NOT_OBSERVABLE:
        return False
    return case.verdict is not finding.verdict or any(
        one.verdict is finding.verdict and not one.dispensable for one in case.findings
    )


def player_of(hearing: Hearing, case: CaseEvidence, home: Path | None = None) -> dict[str, Any]:
    """A leg as ``listen.html.j2`` shows it; with links to its files where the page's own directory
    is known.
    """
    files = (("received", hearing.recording.received), ("sent", hearing.recording.sent))
    return {
        "name": hearing.leg,
        "player": hearing.player or _file_of(hearing, home),
        "offset": 0.0 if hearing.began is None else hearing.began - case.began,
        "files": [(what, link(path, home)) for what, path in files if home and path],
    }


def _file_of(hearing: Hearing, home: Path | None) -> str:
    """The recording itself, where nothing smaller has been made of it; empty when there is none or
    nothing in it.
    """
    received = hearing.recording.received
    return (
        link(received, home) if home and received and received.stat().st_size > _WAV_HEADER else ""
    )


def link(path: Path, home: Path) -> str:
    """The path as the page links to it."""
    return quote(path.relative_to(home).as_posix()) if path.is_relative_to(home) else path.as_uri()


#: Where a case was verified: what of its data says so, with the word that stands before it in the
#: list.
_AT = {"deployment": "of", "site": "at"}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One case of the page, with what is known of it among the others."""

    case: CaseEvidence
    causes: Sequence[str]  #: in the address, the groups it stands in
    owners: Sequence[str]  #: whose these causes are, each once
    inline: bool  #: whether it stands in the page as it is
    is_first: bool  #: whether it stands for a cause in print
    places: Collection[str] = ()  #: what of deployment and site the run has several of
    standing: str = ""  #: what the history says of it


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """What the page shows of a case that its log alone tells."""

    key: str
    labels: Mapping[str, str]
    numbers: Sequence[str]  #: that were dialled
    words: str  #: what a search goes through
    times: Sequence[Measured]  #: of a case that passed
    detail: str = ""  #: what opens, in the page as it is
    packed: str = ""  #: the same deflated
    part: str = ""  #: the file beside the page that has it, of a large run


def place_of(case: PlainCase, name: str) -> str:
    """The deployment or the site of a case's plain data."""
    return str(case.get(name) or ("local" if name == "site" else ""))


def places_of(cases: Iterable[PlainCase]) -> list[str]:
    """What of deployment and site cases must be distinguished by."""
    cases = list(cases)
    return [name for name in _AT if len({place_of(case, name) for case in cases}) > 1]


def compile_templates() -> None:
    """Compile what a case's page is made with, for which the first one would wait."""
    for name in ("case.html.j2", "ladder.svg.j2", "timeline.svg.j2"):
        template_of(name)


def read(making: Making, directories: Sequence[Path]) -> list[tuple[CaseEvidence, CaseView | None]]:
    """Cases, and the views of those that passed, each made while its log is in memory."""
    cases, views = [], []
    for directory in directories:
        case = CaseEvidence.read(directory)
        cases.append(case)
        if case.passed:
            views.append(_view(making, case))
    kept = iter(_put_aside(making, views))
    return [(case, next(kept) if case.passed else None) for case in cases]


def make(making: Making, tasks: Sequence[Task]) -> list[CaseView]:
    """The views of cases as they count."""
    views = [_view(making, one.case, inline=one.inline, standing=one.standing) for one in tasks]
    return _put_aside(making, views)


def _put_aside(making: Making, views: Sequence[CaseView]) -> list[CaseView]:
    """The views; those of a large run without what opens, which one file has for all of them.

    A file a case would cost as much as what is in it.
    """
    details = {view.key: view.packed for view in views if view.packed}
    if making.parts is None or not details:
        return list(views)
    # the page before has its own until the next one is written, which may batch others
    name = hashlib.sha256("\n".join(details).encode()).hexdigest()[:12]
    _write_part(making.parts, name, details)
    return [replace(view, part=name, packed="") if view.packed else view for view in views]


def _view(
    making: Making, case: CaseEvidence, *, inline: bool = False, standing: str = ""
) -> CaseView:
    page = CasePage.of(case, making.home, making.command(case))
    if making.beside is not None:
        making.beside(case, page.ladder, standing)
    view = CaseView(
        key=page.key,
        labels=labels(case),
        numbers=numbers_of(page.legs),
        words=page.words(),
        times=[*times(case, page.legs, page.response_times)] if case.passed else [],
    )
    if inline:
        return replace(view, detail=Markup(page.html()))
    # in a file of its own it links the recordings
    return replace(view, packed=packed(page.html(linked=making.parts is not None)))


def _fields(task: Task, view: CaseView) -> dict[str, Any]:
    """What the page's template shows of a case."""
    case, places = task.case, {name: place_of(task.case.case, name) for name in task.places}
    return {
        "key": view.key,
        "verdict": str(case.verdict),
        "integration": case.integration,
        "row": case.row,
        "wall_s": case.wall_s,
        "headline": "" if case.passed else case.headline,
        "causes": task.causes,
        "is_first": task.is_first,
        "axes": places | case.axes,
        "labels": {**view.labels, **{name: f"{_AT[name]} {at}" for name, at in places.items()}},
        "owners": task.owners,
        "standing": task.standing,
        "numbers": view.numbers,
        "detail": view.detail,
        "packed": view.packed,
        "part": view.part,
    }


def _write_part(parts: Path, name: str, deflated: Mapping[str, str]) -> None:
    """Write a script that hands the page what is ``deflated``, by name."""
    calls = (f"part({json.dumps(key)}, {json.dumps(one)});\n" for key, one in deflated.items())
    whole_file.write(parts / f"{name}.js", "".join(calls))


#: zlib's compression level: level 3 takes 45 % longer and saves 3 % of the size.
_LEVEL = 2


def packed(text: str) -> str:
    """The text deflated, in base64."""
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), _LEVEL)).decode("ascii")
