"""The page of the last nights: rows × nights, figures as small charts, flaky cases. One file that
needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

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
_WIDTH, _HEIGHT, _PAD = 150.0, 30.0, 3.0


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
    text = render(
        "nightly.html.j2",
        nights=nights,
        last=nights[-1],
        last_has_results=any(run.run == nights[-1].run for runs in histories for run in runs),
        causes=causes,
        has_faults=bool(nights[-1].faults),
        plain=unexplained(nights[-1].problems, causes),
        news=news,
        news_in_words=summary(news, nights[-1].problems),
        state=counted(nights[-1].problems),
        changes={
            "New": by_cause(news.new),
            "Gone": by_cause(news.gone),
            "Not verified this night, so whether they are gone is unknown": by_cause(
                news.unverified
            ),
        },
        differences=[(one, list(lines(one))) for one in differences],
        tables=[_table(nights, runs) for runs in histories if runs],
        faults=sorted({fault for runs in histories for fault in (runs[-1].faults if runs else ())}),
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
    by_name = {run.run: run for run in runs}
    columns = [(night, by_name.get(night.run)) for night in nights]
    rows = sorted({row for run in runs for row in run.rows})
    return {
        "name": runs[-1].deployment,
        "site": runs[-1].site or "local",
        "columns": [
            (night.when[5:] + (" *" if run and run.changed else ""), night.when, night.run)
            for night, run in columns
        ],
        "changed": [
            (night.when, shortened(run.changed)) for night, run in columns if run and run.changed
        ],
        "rows": [
            {
                "row": row.partition("/")[2],
                "cells": [(night.when, _cell(run, row, night)) for night, run in columns],
                "charts": [
                    chart for kpi in KPIS if (chart := _chart(row.partition("/")[2], kpi, columns))
                ],
            }
            for row in rows
        ],
        "flakes": rates([run for _, run in columns if run]),
    }


def _report_of(home: Path, run: str, base_url: str) -> str:
    """The link to a run's report; empty where it is gone, as the evidence of an old night may be."""
    report = home / run / REPORT
    return address(base_url, report, home) if run and report.is_file() else ""


def _cell(run: Run | None, row: str, night: Night) -> str:
    if run is None:
        return "other timings or faults" if night.run else "no run"
    return run.rows.get(row, "not run")


def _chart(
    row: str, kpi: str, columns: Sequence[tuple[Night, Run | None]]
) -> tuple[str, Markup] | None:
    """The figure's name with its last value, and the chart; None where there are not two values."""
    values = [run.kpis.get(row, {}).get(kpi) if run else None for _, run in columns]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    words = f"{kpi} of {row}: {known[-1]:g} last, {min(known):g} to {max(known):g}"
    return f"{kpi} {known[-1]:.3g}", Markup(sparkline(values, words))


def sparkline(values: Sequence[float | None], title: str) -> str:
    """A line chart of a value a night as inline SVG; a night without one interrupts the line."""
    known = [value for value in values if value is not None]
    low, span = min(known), (max(known) - min(known)) or 1.0
    step = (_WIDTH - 2 * _PAD) / max(1, len(values) - 1)
    parts, pen = [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = _HEIGHT - _PAD - (value - low) / span * (_HEIGHT - 2 * _PAD)
        parts.append(f"{pen}{_PAD + index * step:.1f},{y:.1f}")
        pen = "L"
    # a point that stands alone is drawn by its round cap
    path = " ".join(parts) + (" h0" if parts[-1].startswith("M") else "")
    label = Markup.escape(title)
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" width="{_WIDTH:g}" height="{_HEIGHT:g}" role="img" aria-label="{label}">'
        f'<title>{label}</title><path d="{path}" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"/></svg>'
    )
