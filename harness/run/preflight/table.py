"""A report for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.run.preflight.lines import Report, Status

_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


def show(console: Console, report: Report, *, all_lines: bool) -> None:
    """What was found, the worst last, where the eye is; what is ok only with ``all_lines``."""
    table = Table("", "what", "found, and what to do", box=None, pad_edge=False, header_style="bold")
    order = list(Status)
    for line in sorted(report.lines, key=lambda line: order.index(line.status)):
        if line.status is Status.OK and not all_lines:
            continue
        found = Text(line.detail)
        if line.fix:
            found.append("\n").append(f"{line.row}: ", "bold").append(line.fix)
        table.add_row(Text(line.status, _STYLES[line.status]), Text(line.name), found)
    console.rule(Text(f"preflight of {report.deployment}"))
    if table.row_count:
        console.print(table)
    _by_row(console, report, all_lines=all_lines)
    counts = ", ".join(f"{report.counts[status]} {status}" for status in Status if report.counts[status])
    console.print(f"{len(report.lines)} lines: {counts}; {report.seconds:.1f} s; no call was placed")


def _by_row(console: Console, report: Report, *, all_lines: bool) -> None:
    """What the rows will need, those together that need the same; what is there only with ``all_lines``."""
    rows: dict[str, dict[tuple[str, str], list[str]]] = {}
    for need in report.rows:
        if all_lines or need.status in (Status.WARNING, Status.FAILED):
            rows.setdefault(need.row, {}).setdefault((need.what, need.answer), []).append(need.whose)
    together: dict[str, list[str]] = {}
    for row, found in rows.items():
        lines = (f"{what}{_of(whose)}: {answer}" for (what, answer), whose in found.items())
        together.setdefault("\n".join(lines), []).append(row)
    table = Table("rows", "what they need", box=None, pad_edge=False, header_style="bold")
    for said, names in together.items():
        table.add_row(Text(", ".join(names)), Text(said))
    if table.row_count:
        console.print(table)


def _of(whose: list[str]) -> str:
    return f" ({', '.join(whose)})" if any(whose) else ""
