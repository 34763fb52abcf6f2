"""The report of a run: one HTML file that needs nothing else, opens anywhere, and reads on a phone and in print.

Cases that did not pass stand in the page, up to a number that a page prints at once. All others are kept deflated until somebody
opens them, as is the text that a search goes through. In a run of very many cases these lie in files beside the page.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.calls.verdict import NEVER_REPORTED, Verdict, worst
from harness.report import case_page
from harness.report.case_page import Task
from harness.report.causes import CauseGroup, grouped
from harness.report.evidence import CaseEvidence
from harness.report.history import Run
from harness.report.markup import explain_command, render, short_path, web_link
from harness.report.metrics import Time
from harness.report.processes import each
from harness.report.run_directory import RunEvidence
from harness.report.summary import Summary
from harness.support.files import whole_file

#: So many cases that did not pass stand in the page, and print; each has some 80 kB.
MOST_INLINE = 20
#: The report is one file up to so many cases. Beyond, a page would take seconds to open, and 23 kB a case.
MOST_WHOLE = 300
#: Where a larger run's cases lie: one script each, since a page that was opened from a file may load nothing else.
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


@dataclass(frozen=True)
class _Trend:
    when: str
    verdict: str


def write(path: Path, run: RunEvidence, summary: Summary, past: Sequence[Run] = ()) -> list[Time]:
    """Write the report to ``path``. Returns the times of the cases that passed, which were measured for it.

    ``past`` are earlier runs, oldest first.
    """
    cases = run.cases
    groups = grouped(cases)
    parts = path.parent / PARTS
    shutil.rmtree(parts, ignore_errors=True)
    in_parts = len(cases) > MOST_WHOLE
    if in_parts:
        parts.mkdir()
    made = list(each(case_page.make, _tasks(run, groups, path.parent, parts if in_parts else None)))
    index = case_page.packed(json.dumps([one.words for one in made]))
    if in_parts:
        case_page.write_part(parts, "index", index)
    seen_in_part = {row: found for row, found in summary.coverage.items() if found.unseen}
    text = render(
        "report.html.j2",
        summary=summary,
        when=_utc(summary.began) if summary.began else "no case began",
        rows=_rows(summary, cases, past),
        causes=[_cause(group, short_path(path.parent)) for group in groups],
        cases=[one.fields for one in made],
        parts=PARTS if in_parts else "",
        most_inline=MOST_INLINE,
        index="" if in_parts else index,
        owners=sorted({owner for group in groups if (owner := _owner(group))}),
        numbers=sorted({number for one in made for number in one.fields["numbers"]}),
        absent=[{"id": str(case["id"]), "row": str(case.get("row", ""))} for case in run.absent],
        left_out=_left_out(summary),
        shown=Counter(str(one.fields["verdict"]) for one in made),
        seen_in_part=seen_in_part,
        rows_seen_in_part=len({row.partition(" of ")[0] for row in seen_in_part}),  # as the table of rows has them
        never_ran=NEVER_REPORTED.first_line(),
        axes=_axes(cases),
        headline=headline(summary),
    )
    whole_file.write(path, text)
    return [time for one in made for time in one.times]


def _tasks(run: RunEvidence, groups: Sequence[CauseGroup], home: Path, parts: Path | None) -> list[Task]:
    """The cases in the order of the list: by cause, then those that passed."""
    group_of: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        for case in group.cases:
            group_of.setdefault(id(case), []).append(number)
    places = case_page.places_of(case.case for case in run.cases)
    passed = [case for case in run.cases if case.verdict is Verdict.PASSED]
    ordered = list({id(case): case for group in groups for case in group.cases}.values())
    ordered += sorted(passed, key=lambda case: (case.integration, case.row, case.id))
    return [
        Task(
            case=case,
            home=home,
            command=run.end.made_of.get(str(case.case.get("run")), run.end.command),
            causes=(numbers := group_of.get(id(case), [])),
            owners=list(dict.fromkeys(owner for number in numbers if (owner := _owner(groups[number])))),
            inline=case.verdict is not Verdict.PASSED and index < MOST_INLINE,
            parts=parts,
            places=places,
        )
        for index, case in enumerate(ordered)
    ]


def _owner(group: CauseGroup) -> str:
    """Whose the cause is, in a line: a case's owners stand in one attribute, a line each."""
    return " ".join(group.said("owner").split())


def headline(summary: Summary) -> tuple[str, str]:
    """The run in one verdict and one sentence."""
    total = summary.total
    more = f", {total.broken} broke" if total.broken else ""
    if summary.interrupted:  # most of what broke never began
        more = ", and the run was interrupted"
    if total.failed:
        return "failed", f"{total.failed} of {total.cases} cases failed{more}"
    if summary.required:
        return "failed", f"Required, and not run: {'; '.join(summary.required)}{more}"
    if total.not_observable:
        return "not observable", f"{total.not_observable} of {total.cases} cases could not be observed{more}"
    if summary.interrupted:
        return "broken", f"Interrupted: {summary.interrupted}; {total.passed} of {total.cases} cases passed"
    if total.broken:
        return "broken", f"{total.broken} of {total.cases} cases broke: nothing is known about the system in them"
    if not total.passed:
        return "broken", "No case ran"
    words = f"{total.passed} cases passed" if total.passed > 1 else "1 case passed"
    if summary.unplanned:
        return "broken", f"{words}, of which {len(summary.unplanned)} had not been planned"
    if summary.broke:
        return "broken", f"{words}, but the harness broke outside of them"
    if again := len(summary.passed_on_retry):
        words += ", on retry" if total.passed == 1 else f", {again} of them on retry"
    return "passed", words if total.passed == 1 else f"All {words}"


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _rows(summary: Summary, cases: Sequence[CaseEvidence], past: Sequence[Run]) -> list[dict[str, Any]]:
    titles = {(case.integration, case.row): case.title for case in cases}
    found = []
    for integration, rows in summary.integrations.items():
        for row, counts in sorted(rows.items()):
            key = f"{integration}/{row}"
            found.append(
                {
                    "integration": integration,
                    "row": row,
                    "title": titles.get((integration, row), ""),
                    "counts": counts,
                    "verdict": counts.verdict,
                    "trend": _trend(key, past),
                }
            )
    return found


def _trend(row: str, past: Sequence[Run]) -> list[_Trend]:
    """The row's verdict in each earlier run: the worst of its deployments and sites, which are one row here."""
    found: dict[str, list[Run]] = {}
    for run in past:
        if row in run.rows:
            found.setdefault(run.run, []).append(run)
    trends = [_Trend(runs[0].when, str(worst(Verdict(run.rows[row]) for run in runs))) for runs in found.values()]
    return trends[-12:]


def _cause(group: CauseGroup, run: str) -> dict[str, Any]:
    """A group of cases as the head of the page and of the list shows it."""
    return {
        "verdict": str(group.verdict),
        "headline": group.headline,
        "is_mixed": group.is_mixed,
        "count": len(group.cases),
        "rows": group.rows.most_common(),
        "where": group.where,
        **{key: group.said(key) for key in ("fix", "owner", "issue", "settles")},
        "link": web_link(group.said("link")),
        "explain": explain_command(run, group.cases[0]),
    }


def _left_out(summary: Summary) -> list[tuple[str, int, dict[str, list[str]]]]:
    """Of the guide's rows, then of those of practice: how many were not run, or not at every number, and why which."""
    found = []
    for documented, words in ((True, "of the guide"), (False, "of practice")):
        if reasons := summary.not_run(documented=documented):
            rows = {left["row"] for left in summary.left_out if bool(left["documented"]) is documented}
            found.append((words, len(rows), reasons))
    return found


def _axes(cases: Sequence[CaseEvidence]) -> dict[str, tuple[str, list[str]]]:
    """Those of which there are several values, deployment and site among them: what a reader calls them, and the values."""
    every = [case.case for case in cases]
    found = {name: {case_page.place_of(case, name) for case in every} for name in case_page.places_of(every)}
    for case in cases:
        for name, value in case.axes.items():
            found.setdefault(name, set()).add(value)
    several = {name: sorted(values) for name, values in found.items() if len(values) > 1}
    return {name: (_AXES.get(name, name.replace("_", " ")), values) for name, values in several.items()}
