"""The document itself: HTML, and PDF/A-3a (tagged) where WeasyPrint finds Pango. Numbers in it are
masked, whatever the deployment is.
"""

from __future__ import annotations

import datetime
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from harness.case.verdict import Verdict
from harness.errors import MistakeError
from harness.report import matrix
from harness.report.coverage import (
    SOURCES,
    by_source,
)
from harness.report.markup import environment, printable
from harness.report.scope import RowScope
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
from harness.report.standing import Past
from harness.support.files import whole_file
from harness.support.mask import mask_text

HTML, PDF = manifest.HTML, manifest.PDF
#: The most columns of the matrix on the first page: of one deployment, and of each of several.
_MOST_COLUMNS, _MOST_OF_SEVERAL = 12, 3
#: How many reasons it shows, and characters of a list in each; the annex has all.
_MOST_REASONS, _MOST_WORDS = 6, 260
#: Lines of the matrix and of waivers that it has room for, and how many waivers it shows at least;
#: the annex has all.
_MOST_LINES, _LEAST_WAIVERS = 53, 2


def brief(reason: str) -> str:
    """A reason as the first page has it: of a long list, the first names and how many more."""
    names = reason.split(", ")
    shown = reason[:_MOST_WORDS].count(", ")  # how many of them it has room for
    left = len(names) - shown
    if left < 2 or not shown:
        return reason
    return f"{', '.join(names[:shown])} and {left} more"


def write(
    path: Path,
    decision: Decision,
    *,
    customer: str,
    signer: str,
    evidence: str,
    past: Past,
) -> None:
    """Write the HTML.

    ``signer`` is the id of the key the run is signed with, empty for none; ``evidence`` the
    manifest's digest; ``past`` what the history says of the run.
    """
    scope, reasons = decision.scope, decision.reasons
    is_cut = len(reasons) > _MOST_REASONS or any(brief(reason) != reason for reason in reasons)
    statements = _statements(decision.rows)
    seen = partial(_seen, numbers={words: number for number, words in enumerate(statements, 1)})
    used: set[str] = set()
    for row in decision.rows:
        used.update(source for source, _ in seen(row))
    # digests are not to be masked: their runs of digits are no numbers
    hashes = {one.name: _as_it_is(one.hash) for one in scope.deployments}
    digests = [one["sha256"] for one in decision.evidence.witnesses]
    tables = _matrix(decision)
    template = _environment().get_template("signoff.html.j2")
    text = template.render(
        d=decision,
        title=title(decision),
        heading=heading(decision),
        subject=subject(decision),
        banner=banner(decision),
        customer=customer,
        compared=str(past),
        known=lambda group: past.acknowledged.of(group.id, group.cases[0].deployment),
        period=_period(decision),
        tables=tables,
        most_reasons=_MOST_REASONS,
        most_waivers=_most_waivers(tables),
        brief=brief,
        is_cut=is_cut,
        annex=_annex(decision.rows),
        statements=statements,
        seen=seen,
        used=used,
        sources=SOURCES,
        options=_options(decision),
        accepted=decision.outcome is not Acceptance.NOT_ACCEPTED,
        signer=Markup(signer),
        evidence=Markup(evidence),
        hashes=hashes,
        digests={digest: _as_it_is(digest) for digest in digests},
        versions=scope.versions,
    )
    whole_file.write(path, text)


def _as_it_is(text: str) -> Markup:
    return Markup.escape(printable(text))


@cache
def _environment() -> Environment:
    """The templates' environment, in which numbers are masked."""
    return environment().overlay(finalize=_masked)


def _masked(value: object) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return mask_text(printable(value))


def title(decision: Decision) -> str:
    """What the document calls itself: an acceptance only where something is accepted."""
    if decision.outcome is Acceptance.NOT_ACCEPTED:
        return "Record of verification"
    return "Rehearsal of an acceptance" if decision.simulated else "Acceptance of call handling"


def heading(decision: Decision) -> str:
    """The outcome, with what it is worth."""
    return str(decision.outcome) + (" (simulated)" if decision.simulated else "")


def subject(decision: Decision) -> str:
    """Who was verified: a stand-in is no Synthflow, nor is any voice agent; a simulation is no
    platform.
    """
    platforms = sorted({d.platform for d in decision.scope.deployments})
    ais = {ai_of(one.case, decision.scope) for one in decision.cases}
    simulated = "simulated " if decision.simulated else ""
    words = {
        SYNTHFLOW: f"{simulated}Synthflow AI",
        UNNAMED: UNNAMED,
        STAND_IN: "a stand-in for the AI",
    }
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


def _matrix(decision: Decision) -> tuple[matrix.Table, ...]:
    """The matrix as the decision counts it; deployments share the width of the first page."""
    results = [(one.case.case, str(one.verdict)) for one in decision.cases]
    results += [(case, matrix.NOT_RUN) for case in decision.evidence.absent]
    several = len(decision.scope.deployments) > 1
    most = _MOST_OF_SEVERAL if several else _MOST_COLUMNS
    return matrix.tables(decision.scope, results, most)


def _most_waivers(tables: Iterable[matrix.Table]) -> int:
    """How many waivers, and as many waived causes, the first page shows beside this matrix."""
    lines = max((len(table.run) + 2 * len(table.skipped) for table in tables), default=0)
    return max(_LEAST_WAIVERS, (_MOST_LINES - lines) // 2)


def _annex(rows: Iterable[RowResult]) -> dict[str, list[tuple[RowScope, list[RowResult]]]]:
    """The rows of the guide, then those of practice: each once, with its result in each deployment,
    the worst first.
    """
    in_order = sorted(rows, key=lambda row: (_ORDER.index(row.verdict), row.scope.row))
    found: dict[str, list[tuple[RowScope, list[RowResult]]]] = {}
    for documented, words in ((True, "Rows of the integration guide"), (False, "Rows of practice")):
        by_id: dict[str, list[RowResult]] = {}
        for row in in_order:
            if row.scope.documented is documented:
                by_id.setdefault(row.scope.row, []).append(row)
        if by_id:
            found[words] = [(members[0].scope, members) for members in by_id.values()]
    return found


def _statements(rows: Iterable[RowResult]) -> list[str]:
    """What was claimed of any row, the most frequent first: the annex has its numbers."""
    counted: Counter[str] = Counter()
    for row in rows:
        counted.update(claim.words for claim in row.claims)
    return [words for words, _ in counted.most_common()]


def _seen(row: RowResult, numbers: Mapping[str, int]) -> list[tuple[str, str]]:
    """What was seen of a row: each witness in a word, with the numbers of the statements, ``1–4; 7
    (3/5)``.
    """
    found = []
    for source, claims in by_source(row.claims).items():
        of_cases: dict[int, list[int]] = {}
        for claim in claims:
            of_cases.setdefault(claim.cases, []).append(numbers[claim.words])
        parts = []
        for cases, of in sorted(of_cases.items(), reverse=True):
            ranges = _ranges(sorted(of))
            parts.append(f"{ranges} ({cases}/{row.passed})" if cases < row.passed else ranges)
        found.append((source, "; ".join(parts)))
    return found


def _ranges(numbers: Sequence[int]) -> str:
    """``1–4, 7, 9``: three numbers in a row and more are a range."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    parts: list[str] = []
    for span in spans:
        if len(span) > 2:
            parts.append(f"{span[0]}–{span[-1]}")
        else:
            parts += map(str, span)
    return ", ".join(parts)


_ORDER = [
    str(Verdict.FAILED), str(Verdict.BROKEN), str(Verdict.NOT_OBSERVABLE), PARTLY_RUN, str(Verdict.PASSED), NOT_RUN, NOT_APPLICABLE,
]  # fmt: skip


def _options(decision: Decision) -> list[tuple[str, str]]:
    """The options that the run was given, as the command line has them."""
    given: Mapping[str, Any] = decision.scope.options
    unsaid = {"as_of"}  # a sentence of its own says it
    # what these say is of deployments that the run had not
    kinds = {one.kind for one in decision.scope.deployments}
    if kinds == {"simulated"}:
        unsaid.add("live")
    elif "simulated" not in kinds:
        unsaid.add("timings")
    found = []
    for name, value in given.items():
        if name not in unsaid:
            option = "-k" if name == "keyword" else f"--{name.replace('_', '-')}"
            found.append((option, _in_words(name, value)))
    return found


def _in_words(name: str, value: object) -> str:
    """The value of an option. No choice is all of them; nothing is required or injected by itself."""
    if isinstance(value, list | tuple):
        nothing = "none" if name in ("fault", "require", "grant") else "all"
        return ", ".join(map(str, value)) or nothing
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value == "" else str(value)


def _period(decision: Decision) -> str:
    """From the first case's beginning to the last one's end, attempts included."""
    run = decision.evidence
    if not run.attempts:
        return "no case ran"
    began = datetime.datetime.fromtimestamp(run.began, datetime.UTC)
    ended = datetime.datetime.fromtimestamp(run.ended_wall, datetime.UTC)
    last = ended.strftime("%H:%M" if ended.date() == began.date() else "%d %B %Y, %H:%M")
    return f"{began.strftime('%d %B %Y, %H:%M')} to {last} UTC"


@cache
def why_no_pdf() -> str:
    """What a PDF lacks here; empty where WeasyPrint is installed and finds the libraries it needs."""
    try:
        import weasyprint  # noqa: F401
    except ImportError:
        return "WeasyPrint is missing (the extra `signoff`)"
    except OSError:
        return "WeasyPrint finds no Pango (Debian: libpangoft2-1.0-0)"
    return ""


def write_pdf(html: Path, pdf: Path) -> None:
    """Make PDF/A-3a of the document, which is tagged. Raises :class:`MistakeError` where that is not
    possible.
    """
    if why := why_no_pdf():
        raise MistakeError(f"{pdf}: no PDF: {why}; any browser prints {html.name}")
    import weasyprint

    document: Any = weasyprint.HTML(filename=str(html))
    with warnings.catch_warnings():
        # WeasyPrint 70 leaves its colour profile open
        warnings.simplefilter("ignore", ResourceWarning)
        document.write_pdf(str(pdf), pdf_variant="pdf/a-3a")
