"""The sign-off document: what was proved, row by row of the guide, for a customer to sign.

HTML always; PDF when WeasyPrint is installed (the extra ``signoff``) and finds Pango. Numbers are masked whatever the deployment
is: the document is made to be handed on.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.report.evidence import CaseEvidence
from harness.report.html import cause_of, environment, headline
from harness.report.markup import printable
from harness.report.mask import mask_text
from harness.report.recorder import EVENTS
from harness.report.summary import Counts, Summary
from harness.verdict import Strength, Verdict

_WORDS = {
    Strength.PROVED: "a mark sent at one end was decoded at the other",
    Strength.CONFIRMED: "the far system says so itself",
    Strength.INDICATED: "only packets were counted",
    Strength.UNKNOWN: "nothing is known",
}


@dataclass(frozen=True)
class _Row:
    """A row of the guide, over all its cases."""

    row: str
    title: str
    proves: str
    source: str
    link: str
    documented: bool
    counts: Counts
    axes: str
    strength: Strength | None
    causes: tuple[dict[str, str], ...]

    @property
    def verdict(self) -> str:
        return self.counts.verdict


def write(path: Path, summary: Summary, cases: Sequence[CaseEvidence]) -> None:
    """Write the document as HTML."""
    integrations = {name: _rows(members) for name, members in _by_integration(cases).items()}
    strengths = [case.strength for case in cases if case.verdict is Verdict.PASSED and case.strength is not None]
    text = (
        _environment()
        .get_template("signoff.html.j2")
        .render(
            summary=summary,
            headline=headline(summary),
            period=_period(cases),
            integrations=integrations,
            deployments=_deployments(cases),
            weakest=min(strengths, default=None),
            words=_WORDS,
            digest=Markup(digest(cases)),  # not to be masked: its runs of digits are no numbers
        )
    )
    path.write_text(text, encoding="utf-8")


@cache
def _environment() -> Environment:
    return environment().overlay(
        finalize=lambda value: (
            mask_text(printable(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
        )
    )


def digest(cases: Sequence[CaseEvidence]) -> str:
    """SHA-256 over the evidence of all cases: ties the paper to the files it speaks of."""
    total = hashlib.sha256()
    for case in sorted(cases, key=lambda case: case.directory.name):
        events = case.directory / EVENTS
        total.update(case.directory.name.encode() + b"\0")
        total.update(hashlib.sha256(events.read_bytes() if events.is_file() else b"").digest())
    return total.hexdigest()


def _by_integration(cases: Sequence[CaseEvidence]) -> dict[str, list[CaseEvidence]]:
    found: dict[str, list[CaseEvidence]] = {}
    for case in cases:
        found.setdefault(case.integration, []).append(case)
    return found


def _rows(cases: Sequence[CaseEvidence]) -> list[_Row]:
    by_row: dict[str, list[CaseEvidence]] = {}
    for case in cases:
        by_row.setdefault(case.row, []).append(case)
    rows = [_row(row, members) for row, members in by_row.items()]
    return sorted(rows, key=lambda row: (not row.documented, row.row))


def _row(row: str, cases: Sequence[CaseEvidence]) -> _Row:
    counts = Counts()
    for case in cases:
        counts.add(case.verdict, case.wall_s)
    first = cases[0]
    values: dict[str, dict[str, None]] = {}
    for case in cases:
        for name, value in case.axes.items():
            values.setdefault(name, {})[value] = None
    causes = {
        case.headline: cause_of(case.diagnosis[0]) if case.diagnosis else cause_of({"cause": case.headline})
        for case in cases
        if case.verdict is not Verdict.PASSED
    }
    return _Row(
        row,
        first.title,
        str(first.case.get("description") or ""),
        str(first.case.get("source") or ""),
        str(first.case.get("link") or ""),
        str(first.case.get("source") or "").startswith("guide"),
        counts,
        "; ".join(f"{name} {', '.join(found)}" for name, found in values.items()),
        min((case.strength for case in cases if case.strength is not None), default=None),
        tuple(causes.values()),
    )


def _period(cases: Sequence[CaseEvidence]) -> str:
    if not cases:
        return ""
    began = datetime.fromtimestamp(min(case.began_wall for case in cases), UTC)
    ended = datetime.fromtimestamp(max(case.wall(case.ended) for case in cases), UTC)
    last = ended.strftime("%H:%M" if ended.date() == began.date() else "%d %B %Y, %H:%M")
    return f"{began.strftime('%d %B %Y, %H:%M')} to {last} UTC"


def _deployments(cases: Sequence[CaseEvidence]) -> list[dict[str, str]]:
    found: dict[tuple[str, ...], None] = {}
    for case in cases:
        found[tuple(str(case.case.get(name) or "") for name in ("deployment", "kind", "site"))] = None
    return [dict(zip(("name", "kind", "site"), values, strict=True)) for values in found]


@cache
def pdf_available() -> bool:
    """Whether WeasyPrint is installed and finds the libraries it needs."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):  # OSError: Pango is missing
        return False
    return True


def write_pdf(html: Path, pdf: Path) -> None:
    """Make PDF/A-3b of the document. Only where :func:`pdf_available`."""
    import weasyprint

    document: Any = weasyprint.HTML(filename=str(html))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint 70 leaves its colour profile open
        document.write_pdf(str(pdf), pdf_variant="pdf/a-3b")
