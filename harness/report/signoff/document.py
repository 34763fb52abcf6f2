"""The document itself: HTML, and PDF/A-3b where WeasyPrint finds Pango. Numbers in it are masked, whatever the deployment is."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.calls.verdict import Verdict
from harness.errors import MistakeError
from harness.report.coverage import by_source
from harness.report.markup import environment, printable
from harness.report.signoff import manifest
from harness.report.signoff.decision import Acceptance, Decision
from harness.report.signoff.rows import (
    NOT_APPLICABLE,
    NOT_RUN,
    PARTLY_RUN,
    STAND_IN,
    SYNTHFLOW,
    UNNAMED,
    RowResult,
    ai_of,
)
from harness.support.files import whole_file
from harness.support.mask import mask_text

HTML, PDF = manifest.HTML, manifest.PDF


def write(path: Path, decision: Decision, *, customer: str, signer: str, evidence: str) -> None:
    """Write the HTML. ``signer`` is the id of the key the run is signed with, empty for none; ``evidence`` the manifest's digest."""
    scope = decision.scope
    template = _environment().get_template("signoff.html.j2")
    text = template.render(
        d=decision,
        title=title(decision),
        heading=heading(decision),
        subject=subject(decision),
        banner=banner(decision),
        customer=customer,
        period=_period(decision),
        sections=_sections(decision),
        options=_options(decision),
        accepted=decision.outcome is not Acceptance.NOT_ACCEPTED,
        signer=Markup(signer),  # digests are not to be masked: their runs of digits are no numbers
        evidence=Markup(evidence),
        hashes={d.name: Markup.escape(printable(d.hash)) for d in (scope.deployments if scope else ())},
        digests={one["sha256"]: Markup.escape(printable(one["sha256"])) for one in decision.witnesses},
        versions=scope.versions if scope else {},
        by_source=by_source,
    )
    whole_file.write(path, text)


@cache
def _environment() -> Environment:
    """The templates' environment, in which numbers are masked."""
    return environment().overlay(
        finalize=lambda value: (
            mask_text(printable(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
        )
    )


def title(decision: Decision) -> str:
    """What the document calls itself: an acceptance only where something is accepted."""
    if decision.outcome is Acceptance.NOT_ACCEPTED:
        return "Record of verification"
    return "Rehearsal of an acceptance" if decision.simulated else "Acceptance of call handling"


def heading(decision: Decision) -> str:
    """The outcome, with what it is worth."""
    return str(decision.outcome) + (" (simulated)" if decision.simulated else "")


def subject(decision: Decision) -> str:
    """Who was verified: a stand-in is no Synthflow, nor is any voice agent; a simulation is no platform."""
    platforms = sorted({d.integration.capitalize() for d in decision.scope.deployments}) if decision.scope else []
    ais = {ai_of(one.case, decision.scope) for one in decision.cases}
    simulated = "simulated " if decision.simulated else ""
    words = {SYNTHFLOW: f"{simulated}Synthflow AI", UNNAMED: UNNAMED, STAND_IN: "a stand-in for the AI"}
    ai = " and ".join(said for name, said in words.items() if name in ais) or "no AI"
    return f"{simulated}{' and '.join(platforms) or 'unknown platform'} with {ai}"


def banner(decision: Decision) -> str:
    """What every page says; empty when there is nothing to warn of."""
    parts = ["SIMULATED PLATFORM: proves nothing about a real one"] if decision.simulated else []
    if {ai_of(one.case, decision.scope) for one in decision.cases} == {STAND_IN}:
        parts.append("A STAND-IN WAS THE AI")
    if decision.outcome is Acceptance.NOT_ACCEPTED:
        parts.insert(0, "NOT ACCEPTED")
    return " · ".join(parts)


def _sections(decision: Decision) -> list[tuple[str, str, list[RowResult]]]:
    """(deployment, heading, rows); what means nothing in a deployment comes last."""
    found = []
    for name in dict.fromkeys(row.deployment for row in decision.rows):
        members = [row for row in decision.rows if row.deployment == name]
        for documented, words in ((True, "Rows of the integration guide"), (False, "Rows of practice")):
            rows = [row for row in members if row.scope.documented is documented]
            rows.sort(key=lambda row: (_ORDER.index(row.verdict), row.scope.row))
            if rows:
                found.append((name, words, rows))
    return found


_ORDER = [
    str(Verdict.FAILED), str(Verdict.BROKEN), str(Verdict.NOT_OBSERVABLE), PARTLY_RUN, str(Verdict.PASSED), NOT_RUN, NOT_APPLICABLE,
]  # fmt: skip


def _options(decision: Decision) -> list[tuple[str, str]]:
    if decision.scope is None:
        return []
    given: Mapping[str, Any] = decision.scope.options

    def words(name: str, value: object) -> str:
        if isinstance(value, (list, tuple)):  # no choice is all of them; nothing is required or injected by itself
            return ", ".join(map(str, value)) or ("none" if name in ("fault", "require") else "all")
        return (
            {True: "yes", False: "no", "": "none"}.get(value, str(value))
            if isinstance(value, (bool, str))
            else str(value)
        )

    names = {"keyword": "-k"}
    kinds = {one.kind for one in decision.scope.deployments}
    nothing = {"live"} if kinds == {"simulated"} else {"timings"} if "simulated" not in kinds else set()
    nothing |= {"as_of"}  # a sentence of its own says it
    return [
        (names.get(name, f"--{name.replace('_', '-')}"), words(name, value))
        for name, value in given.items()
        if name not in nothing  # what it says is of deployments that the run had not
    ]


def _period(decision: Decision) -> str:
    if decision.period is None:
        return "no case ran"
    began, ended = (datetime.datetime.fromtimestamp(at, datetime.UTC) for at in decision.period)
    last = ended.strftime("%H:%M" if ended.date() == began.date() else "%d %B %Y, %H:%M")
    return f"{began.strftime('%d %B %Y, %H:%M')} to {last} UTC"


@cache
def pdf_available() -> bool:
    """Whether WeasyPrint is installed and finds the libraries it needs."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):  # OSError: Pango is missing
        return False
    return True


def write_pdf(html: Path, pdf: Path) -> None:
    """Make PDF/A-3b of the document. Raises :class:`MistakeError` where that is not possible."""
    if not pdf_available():
        raise MistakeError(
            f"{pdf}: a PDF needs WeasyPrint (the extra `signoff`) and Pango; any browser prints {html.name}"
        )
    import weasyprint

    document: Any = weasyprint.HTML(filename=str(html))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint 70 leaves its colour profile open
        document.write_pdf(str(pdf), pdf_variant="pdf/a-3b")
