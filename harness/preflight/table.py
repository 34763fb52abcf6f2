"""A report for the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.preflight.lines import Report, Status

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
    counts = ", ".join(f"{report.counts[status]} {status}" for status in Status if report.counts[status])
    console.print(f"{len(report.lines)} lines: {counts}; {report.seconds:.1f} s; no call was placed")
