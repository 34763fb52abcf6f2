"""The page of the last nights: rows × nights, figures as small charts, flaky cases. One file that
needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from harness.report.callfacts import KPIS
from harness.report.history import Night, Run, shortened
from harness.report.markup import render
from harness.report.matrix import Table
from harness.report.nightly.alerts import AlertCause, counted, summary, unexplained
from harness.report.nightly.compare import Difference, lines
from harness.report.nightly.problems import News, by_cause
from harness.report.run_directory import REPORT
from harness.report.standing import rates
from harness.support.files import whole_file

FILE = "nightly.html"
_WIDTH, _HEIGHT, _PAD = 150, 30, 3


def write(
    path: Path,
    nights: Sequence[Night],
    histories: Sequence[Sequence[Run]],
    causes: Sequence[AlertCause],
    news: News,
    differences: Sequence[Difference] = (),
    matrices: Sequence[Table] = (),
    base_url: str = "",
) -> None:
    """Write the page.

    ``histories`` has for each deployment and site of the last night its runs, oldest first,
    ``causes`` what the problems of the last night have in common, ``news`` what has changed since
    the night before, ``differences`` since the last good night, ``matrices`` the matrix of the last
    night's run.
    """
    last = nights[-1]
    has_results = False
    faults: set[str] = set()
    for runs in filter(None, histories):
        has_results |= any(run.run == last.run for run in runs)
        faults |= {*runs[-1].faults}
    changes = {
        "New": news.new,
        "Gone": news.gone,
        "Not verified this night, so whether they are gone is unknown": news.unverified,
    }
    text = render(
        "nightly.html.j2",
        nights=nights,
        last=last,
        last_has_results=has_results,
        causes=causes,
        has_faults=bool(last.faults),
        plain=unexplained(last.problems, causes),
        news=news,
        news_in_words=summary(news, last.problems),
        state=counted(last.problems),
        changes={title: by_cause(problems) for title, problems in changes.items()},
        differences=[(one, list(lines(one))) for one in differences],
        tables=[_table(nights, runs) for runs in histories if runs],
        chart=_chart,
        shortened=shortened,
        faults=sorted(faults),
        matrices=matrices,
        link=Table.link,
        kpis=KPIS,
        report=lambda run: _report_of(path.parent, run, base_url),
    )
    whole_file.write(path, text)


def address(base_url: str, path: Path, reports: Path) -> str:
    """Where a file of the reports is served; without a base, as a page beside them links to it."""
    relative = quote(path.relative_to(reports).as_posix())
    return f"{base_url.rstrip('/')}/{relative}" if base_url else relative


def _table(nights: Sequence[Night], runs: Sequence[Run]) -> dict[str, Any]:
    """A deployment at a site: each night with its run, if it had one, and the rows of all."""
    by_name = {run.run: run for run in runs}
    columns = [(night, by_name.get(night.run)) for night in nights]
    rows: set[str] = set()
    for run in runs:
        rows.update(run.rows)
    return {
        "name": runs[-1].deployment,
        "site": runs[-1].site or "local",
        "columns": columns,
        "rows": sorted(rows),
        "flakes": rates([run for _, run in columns if run]),
    }


def _report_of(home: Path, run: str, base_url: str) -> str:
    """The link to a run's report; empty where it is gone, as the evidence of an old night may be."""
    report = home / run / REPORT
    return address(base_url, report, home) if run and report.is_file() else ""


@dataclass(frozen=True)
class _Chart:
    """A figure of a row, night by night."""

    width: ClassVar = _WIDTH
    height: ClassVar = _HEIGHT

    last: float
    least: float
    most: float
    path: str  #: the line, as SVG has it


def _chart(row: str, kpi: str, columns: Sequence[tuple[Night, Run | None]]) -> _Chart | None:
    """None where there are not two values. A night without one interrupts the line."""
    values = [run.kpis.get(row, {}).get(kpi) if run else None for _, run in columns]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    least, most = min(known), max(known)
    span = (most - least) or 1.0  # a figure that never changes has no span
    step = (_WIDTH - 2 * _PAD) / max(1, len(values) - 1)
    parts, pen = [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = _HEIGHT - _PAD - (value - least) / span * (_HEIGHT - 2 * _PAD)
        parts.append(f"{pen}{_PAD + index * step:.1f},{y:.1f}")
        pen = "L"
    if parts[-1].startswith("M"):  # a point that stands alone is drawn by its round cap
        parts.append("h0")
    return _Chart(known[-1], least, most, path=" ".join(parts))
