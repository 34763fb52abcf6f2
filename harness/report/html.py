"""The report of a run: one HTML file that needs nothing else, opens anywhere, and reads on a phone and in print.

Cases that did not pass stand in the page as they are. Those that passed are kept deflated until somebody opens them: of 270
cases that makes 5 MB out of 20, and a page that opens at once.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report import ladder, tables, timeline
from harness.report.evidence import CaseEvidence, Message
from harness.report.flow import sdp_summary
from harness.report.hearing import COLUMNS, Hearing, figures, hearings
from harness.report.history import Run
from harness.report.junit import NEVER_RAN
from harness.report.markup import printable
from harness.report.summary import Summary
from harness.verdict import Verdict

#: What a cause of a diagnosis may say; any of it may be left out but ``cause``.
CAUSE = ("cause", "issue", "fix", "owner", "confidence", "settles", "because", "link")
_URGENCY = (Verdict.FAILED, Verdict.NOT_OBSERVABLE, Verdict.BROKEN, Verdict.PASSED)
_FACTS = ("source", "description", "link", "deployment", "site")

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates' environment: escaping on, unknown names are errors, nothing unprintable gets out."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    found.filters["seconds"] = lambda value: f"{value:.2f} s"
    found.filters["slug"] = lambda value: str(value).replace(" ", "-")
    return found


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
) -> None:
    """Write the report to ``path``. ``absent`` are planned cases without evidence, ``past`` earlier runs, oldest first."""
    template = environment().get_template("report.html.j2")
    ordered = sorted(cases, key=lambda case: (_URGENCY.index(case.verdict), case.integration, case.row, case.id))
    text = template.render(
        summary=summary,
        when=_utc(summary.began),
        rows=_rows(summary, cases, past),
        causes=_causes(cases),
        cases=[_listed(index, case, path.parent) for index, case in enumerate(ordered)],
        absent=[{"id": str(case["id"]), "row": str(case.get("row", ""))} for case in absent],
        never_ran=NEVER_RAN,
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
                    "trend": [_Trend(run.when, run.rows[key][0]) for run in past if key in run.rows][-12:],
                }
            )
    return found


def _causes(cases: Sequence[CaseEvidence]) -> list[dict[str, Any]]:
    """What did not pass, gathered by what is said of it: failed first, and the most frequent."""
    found: dict[tuple[str, str], list[CaseEvidence]] = {}
    for case in cases:
        if case.verdict is not Verdict.PASSED:
            found.setdefault((str(case.verdict), case.headline), []).append(case)

    def urgency(item: tuple[tuple[str, str], list[CaseEvidence]]) -> tuple[int, int]:
        (verdict, _), members = item
        return _URGENCY.index(Verdict(verdict)), -len(members)

    return [
        {
            "verdict": verdict,
            "headline": words,
            "cases": members,
            "rows": sorted({member.row for member in members}),
            "diagnosis": cause_of(members[0].diagnosis[0] if members[0].diagnosis else {}),
        }
        for (verdict, words), members in sorted(found.items(), key=urgency)
    ]


def cause_of(plain: Mapping[str, Any]) -> dict[str, str]:
    """What reports show of a cause, each as text, empty when it was not said."""
    return {name: str(plain.get(name) or "") for name in CAUSE}


def _axes(cases: Sequence[CaseEvidence]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for case in cases:
        for name, value in case.axes.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in found.items() if len(values) > 1}


def _listed(index: int, case: CaseEvidence, home: Path) -> dict[str, Any]:
    """A case as the list shows it; its detail in the open, or deflated."""
    detail = _detail(f"c{index}", case, home)
    passed = case.verdict is Verdict.PASSED
    packed = base64.b64encode(zlib.compress(detail.encode("utf-8", "replace"), 6)).decode("ascii") if passed else ""
    return {
        "key": f"c{index}",
        "evidence": case,
        "axes": case.axes,
        "search": " ".join((case.id, case.title, case.headline, *case.axes.values())).lower(),
        "detail": Markup() if passed else Markup(detail),
        "packed": packed,
    }


def _detail(key: str, case: CaseEvidence, home: Path) -> str:
    return (
        environment()
        .get_template("case.html.j2")
        .render(
            key=key,
            case=case,
            facts={name: str(case.case.get(name) or "") for name in _FACTS},
            causes=[cause_of(cause) for cause in case.diagnosis],
            findings=case.findings,
            ladder=Markup(ladder.svg(case, anchors=f"{key}-")) if case.messages else None,
            timeline=Markup(timeline.svg(case)) if case.legs else None,
            legs=[leg_of(hearing, home) for hearing in hearings(case)],
            quality=figures(case) if case.legs else [],
            columns=COLUMNS,
            rtp=tables.rtp(case) if case.statistics else [],
            messages=[_message(case, message) for message in case.messages],
            records=[(record, json.dumps(record.record, indent=1, ensure_ascii=False)) for record in case.far_end],
            attachments=[(item.name, _link(item.path, home)) for item in case.attachments if item.path.is_file()],
            directory=_link(case.directory, home),
        )
    )


def _message(case: CaseEvidence, message: Message) -> dict[str, Any]:
    event = message.event
    return {
        "number": message.number,
        "at": event.at - case.began,
        "leg": event.leg or event.phone,
        "sent": event.direction == "sent",
        "local": event.local,
        "remote": event.remote,
        "transport": event.transport.upper(),
        "start": next((line for line in event.text.splitlines() if line.strip()), "(empty)"),
        "sdp": sdp_summary(event.text),
        "text": event.text,
    }


def leg_of(hearing: Hearing, home: Path | None = None) -> dict[str, Any]:
    """A leg as ``legs.html.j2`` shows it; with links to its WAVs where the page's own directory is known."""
    files = (("received", hearing.recording.received), ("sent", hearing.recording.sent))
    return {
        "name": hearing.leg,
        "picture": Markup(hearing.picture),
        "player": hearing.player,
        "wavs": [(what, _link(path, home)) for what, path in files if home and path],
    }


def _link(path: Path, home: Path) -> str:
    return str(path.relative_to(home)) if path.is_relative_to(home) else path.as_uri()
