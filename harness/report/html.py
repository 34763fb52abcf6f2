"""The report of a run: one HTML file that needs nothing else, opens anywhere, and reads on a phone and in print.

Cases that did not pass stand in the page, up to a number that a page prints at once. All others are kept deflated until somebody
opens them, as is the text that a search goes through. In a run of very many cases these lie in files beside the page.
"""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.report import rerun
from harness.report.callfacts import numbers_of
from harness.report.case_page import CasePage, short_path
from harness.report.causes import Group, grouped
from harness.report.evidence import CaseEvidence
from harness.report.history import Run
from harness.report.pages import environment
from harness.report.summary import Summary
from harness.verdict import NEVER_REPORTED, Verdict, worst

#: So many cases that did not pass stand in the page, and print; each has some 80 kB.
MOST_INLINE = 20
#: The report is one file up to so many cases. Beyond, a page would take seconds to open, and 23 kB a case.
MOST_WHOLE = 300
#: Where a larger run's cases lie: one script each, since a page that was opened from a file may load nothing else.
PARTS = "report.parts"


@dataclass(frozen=True)
class _Trend:
    when: str
    verdict: str


def write(
    path: Path,
    summary: Summary,
    cases: Sequence[CaseEvidence],
    absent: Sequence[Mapping[str, object]] = (),
    past: Sequence[Run] = (),
    command: str = "",
) -> None:
    """Write the report to ``path``.

    ``absent`` are planned cases without evidence, ``past`` earlier runs, oldest first, ``command`` is the run's own.
    """
    groups = grouped(cases)
    passed = [case for case in cases if case.verdict is Verdict.PASSED]
    group_of: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        for case in group.cases:
            group_of.setdefault(id(case), []).append(number)
    ordered = list({id(case): case for group in groups for case in group.cases}.values())
    ordered += sorted(passed, key=lambda case: (case.integration, case.row, case.id))
    parts = path.parent / PARTS
    shutil.rmtree(parts, ignore_errors=True)
    in_parts = len(ordered) > MOST_WHOLE
    if in_parts:
        parts.mkdir()
    listed, words = [], []
    for index, case in enumerate(ordered):
        page = CasePage.of(case, path.parent, command)
        words.append(page.words())
        inline = case.verdict is not Verdict.PASSED and index < MOST_INLINE
        one = _listed(page, group_of.get(id(case), []))
        one |= _detail(page, inline=inline, parts=parts if in_parts else None)
        listed.append(one)
    packed = _packed(json.dumps(words))
    if in_parts:
        _write_part(parts, "index", packed)
    text = (
        environment()
        .get_template("report.html.j2")
        .render(
            summary=summary,
            when=_utc(summary.began),
            rows=_rows(summary, cases, past),
            causes=[_cause(group, short_path(path.parent)) for group in groups],
            cases=listed,
            parts=PARTS if in_parts else "",
            index="" if in_parts else packed,
            owners=sorted({owner for group in groups if (owner := group.said("owner"))}),
            numbers=sorted({number for one in listed for number in one["numbers"]}),
            absent=[{"id": str(case["id"]), "row": str(case.get("row", ""))} for case in absent],
            never_ran=NEVER_REPORTED.first_line(),
            axes=_axes(cases),
            headline=headline(summary),
        )
    )
    path.write_text(text, encoding="utf-8")


def headline(summary: Summary) -> tuple[str, str]:
    """The run in one verdict and one sentence."""
    total = summary.total
    if total.failed:
        return "failed", f"{total.failed} of {total.cases} cases failed"
    if total.not_observable:
        return "not observable", f"{total.not_observable} of {total.cases} cases could not be observed"
    if total.broken:
        return "broken", f"{total.broken} of {total.cases} cases broke: nothing is known about the system in them"
    if not total.passed:
        return "broken", "No case ran"
    if summary.interrupted:
        return "broken", f"Interrupted: {summary.interrupted}"
    words = f"{total.passed} cases passed" if total.passed > 1 else "1 case passed"
    return "passed", words if total.skipped or total.passed == 1 else f"All {words}"


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


def _cause(group: Group, run: str) -> dict[str, Any]:
    """A group of cases as the head of the page and of the list shows it."""
    return {
        "verdict": str(group.verdict),
        "headline": group.headline,
        "is_mixed": group.is_mixed,
        "count": len(group.cases),
        "rows": group.rows.most_common(),
        "where": group.where,
        **{key: group.said(key) for key in ("fix", "owner", "link", "issue", "settles")},
        "explain": rerun.explain(run, group.cases[0]),
    }


def _axes(cases: Sequence[CaseEvidence]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for case in cases:
        for name, value in case.axes.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items() if len(values) > 1}


def _listed(page: CasePage, groups: Sequence[int]) -> dict[str, Any]:
    """A case as the list shows it."""
    case = page.case
    return {
        "key": page.key,
        "verdict": str(case.verdict),
        "integration": case.integration,
        "row": case.row,
        "wall_s": case.wall_s,
        "headline": "" if case.verdict is Verdict.PASSED else case.headline,
        "group": groups[0] if groups else None,
        "causes": groups,
        "axes": case.axes,
        "owner": str(case.diagnosis[0].get("owner") or "") if case.diagnosis else "",
        "numbers": numbers_of(page.legs),
    }


def _detail(page: CasePage, *, inline: bool, parts: Path | None) -> dict[str, str]:
    """What opens: in the page as it is, deflated in the page, or in a file beside it, which then links the recordings."""
    if inline:
        return {"detail": Markup(page.html()), "packed": ""}
    packed = _packed(page.html(linked=parts is not None))
    if parts is None:
        return {"detail": "", "packed": packed}
    _write_part(parts, page.key, packed)
    return {"detail": "", "packed": ""}


def _write_part(parts: Path, name: str, packed: str) -> None:
    (parts / f"{name}.js").write_text(f"part({json.dumps(name)}, {json.dumps(packed)});\n", encoding="utf-8")


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 6)).decode("ascii")
