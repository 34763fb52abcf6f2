"""The report of a run: one HTML file that needs nothing else, opens anywhere, and reads on a phone and in print.

Cases that did not pass stand in the page as they are, up to a number that a page opens with at once. All others are kept deflated
until somebody opens them, as is the text that a search goes through.
"""

from __future__ import annotations

import base64
import json
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
from harness.verdict import NEVER_REPORTED, Verdict

#: So many cases that did not pass stand in the page as they are, and print; each has some 80 kB.
MOST_INLINE = 20
#: Of so many cases the recordings are in the page; of those beyond that passed, which have 40 kB each, they are linked.
MOST_WITH_SOUND = 300


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
    template = environment().get_template("report.html.j2")
    groups = grouped(cases)
    passed = [case for case in cases if case.verdict is Verdict.PASSED]
    ordered = [case for group in groups for case in group.cases]
    ordered += sorted(passed, key=lambda case: (case.integration, case.row, case.id))
    pages = [CasePage.of(case, path.parent, command) for case in ordered]
    group_of = {id(case): index for index, group in enumerate(groups) for case in group.cases}
    listed = [_listed(page, group_of.get(id(page.case)), index) for index, page in enumerate(pages)]
    text = template.render(
        summary=summary,
        when=_utc(summary.began),
        rows=_rows(summary, cases, past),
        causes=[_cause(group, short_path(path.parent)) for group in groups],
        cases=listed,
        index=_packed(json.dumps([page.words() for page in pages])),
        owners=sorted({owner for group in groups if (owner := group.said("owner"))}),
        numbers=sorted({number for page in pages for number in numbers_of(page.legs)}),
        absent=[{"id": str(case["id"]), "row": str(case.get("row", ""))} for case in absent],
        never_ran=NEVER_REPORTED.first_line(),
        axes=_axes(cases),
        headline=headline(summary),
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
                    "trend": [_Trend(run.when, run.rows[key]) for run in past if key in run.rows][-12:],
                }
            )
    return found


def _cause(group: Group, run: str) -> dict[str, Any]:
    """A group of cases as the head of the page and of the list shows it."""
    return {
        "verdict": str(group.verdict),
        "headline": group.headline,
        "is_mixed": group.is_mixed,
        "count": len(group.cases),
        "rows": group.rows.most_common(),
        **{key: group.said(key) for key in ("fix", "owner", "link", "issue", "settles")},
        "explain": rerun.explain(run, group.cases[0]),
    }


def _axes(cases: Sequence[CaseEvidence]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for case in cases:
        for name, value in case.axes.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items() if len(values) > 1}


def _listed(page: CasePage, group: int | None, index: int) -> dict[str, Any]:
    """A case as the list shows it; its detail in the open, or deflated."""
    case = page.case
    detail = page.html(with_sound=case.verdict is not Verdict.PASSED or index < MOST_WITH_SOUND)
    inline = case.verdict is not Verdict.PASSED and index < MOST_INLINE
    return {
        "key": page.key,
        "evidence": case,
        "group": group,
        "axes": case.axes,
        "owner": str(case.diagnosis[0].get("owner") or "") if case.diagnosis else "",
        "numbers": numbers_of(page.legs),
        "detail": Markup(detail) if inline else Markup(),
        "packed": "" if inline else _packed(detail),
    }


def _packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 6)).decode("ascii")
