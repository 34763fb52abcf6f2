"""The terminal output at the end of a run: the figures, each cause once, and where the reports are."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness import integrations
from harness.case.verdict import NEVER_REPORTED, Verdict
from harness.report.causes import CauseGroup
from harness.report.markup import explain_command, number_of, relative
from harness.report.summary import Counts, Summary

if TYPE_CHECKING:
    from harness.report.standing import Past

STYLES: Mapping[str, str] = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red",
    Verdict.NOT_OBSERVABLE: "yellow",
    Verdict.BROKEN: "magenta",
    NEVER_REPORTED.message: "dim",
}


_MOST_ROWS = 4


#: At most so many columns on a terminal, and characters of what was seen where no cause is known. A
#: file or a pipe gets all of it.
_MOST_COLUMNS, _MOST_WORDS = 120, 400


def table(summary: Summary, *, every_row: bool = False) -> Table:
    """The closing table: a line an integration, or a line a row."""
    result = Table(
        box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    result.add_column("integration" if not every_row else "row", overflow="fold")
    titles = list(summary.shown)
    for title in (*titles, "cases", "seconds"):
        # so that it fits 80 columns
        heading = title.replace(" ", "\n") if summary.not_run else title
        result.add_column(heading, justify="right", overflow="fold", vertical="bottom")

    whole = Counts()

    def add(name: str, counts: Counts, style: str | None = None) -> None:
        cells = []
        for title in titles:
            value = counts.shown.get(title)
            cells.append(f"[{STYLES[title]}]{value}[/]" if value else "[dim]·[/]")
        result.add_row(name, *cells, str(counts.cases), f"{counts.wall_s:.1f}", style=style)

    for name, of_integration in summary.integrations.items():
        total, rows = Counts(), of_integration["rows"]
        for counts in rows.values():
            total += counts
        whole += total
        heading = f"{integrations.title(name)} ({number_of(len(rows), 'row')})"
        if not every_row:
            add(heading, total)
            continue
        add(heading, total, "bold")
        for row, counts in sorted(rows.items()):
            add(f"  {row}", counts)
    if len(summary.integrations) > 1:
        result.add_section()
        add("all", whole, "bold")
    return result


def show(
    summary: Summary,
    groups: Sequence[CauseGroup],
    console: Console,
    *,
    run: Path,
    every_row: bool = False,
    past: Past | None = None,
) -> None:
    """Print the table, what did not pass by its cause, what does not add up, and the figures in a
    sentence.

    ``run`` is the run's directory, for ``harness explain``; ``past`` is what the history says.
    """
    from harness.report.standing import Past  # a run's first call does not wait for the history

    console.print(table(summary, every_row=every_row))
    known = past or Past()
    width, most = console.width, sys.maxsize
    if console.is_terminal:
        width, most = min(width, _MOST_COLUMNS), _MOST_WORDS
    for group in groups:
        console.print()
        for line in _block(group, run, width, most, known.of_group(group)):
            console.print(line, no_wrap=True, crop=False, soft_wrap=True)
    console.print()
    if known.fixed:
        console.print(f"[green]fixed:[/] {_some(known.fixed)}")
    if past and groups and not past.runs:
        console.print(f"[yellow]new or known:[/] {past}")
    _closing_lines(summary, console)


def _block(
    group: CauseGroup,
    run: Path,
    width: int,
    most: int,
    standing: str,
) -> list[Text]:
    """A cause: its headline of ``most`` characters, what the history says of it, fix, owner, rows,
    and how to learn more.
    """
    verdict = f"{group.verdict.upper():<7}  "
    count = number_of(len(group.cases), "case")
    if standing:
        count += f"; {standing}"
    headline = group.headline.removeprefix(f"{group.verdict}: ")
    said = f"{textwrap.shorten(headline, most, placeholder=' …')} ({count})"
    words = textwrap.wrap(said, width - len(verdict), break_on_hyphens=False) or [count]
    lines = [Text.assemble((verdict, STYLES[group.verdict]), (words[0], "bold"))]
    lines += [Text(" " * 9 + line, "bold") for line in words[1:]]
    fields = {
        "fix": group.said("fix"),
        "owner": group.owner,
        "rows": _rows(group),
        "where": group.where,
        "why": explain_command(relative(run), group.cases[0]),
    }
    for name, value in fields.items():
        if not value:
            continue
        if name == "why":  # to be copied: never broken
            lines.append(Text(f"         why    {value}"))
            continue
        for index, line in enumerate(textwrap.wrap(value, width - 16, break_on_hyphens=False)):
            lines.append(Text(f"         {name if index == 0 else '':<6} {line}"))
    return lines


def _rows(group: CauseGroup) -> str:
    counted = group.rows.most_common()
    shown = ", ".join(f"{row} {count}" for row, count in counted[:_MOST_ROWS])
    rest = len(counted) - _MOST_ROWS
    return f"{shown} and {number_of(rest, 'more row')}" if rest > 0 else shown


def _left_out(summary: Summary, console: Console) -> None:
    """What was not run: of the guide's rows a line for each reason, the others in one line."""
    for why, rows in summary.guide_rows_left_out().items():
        console.print(f"[yellow]not run:[/] {_some(rows)}: {escape(why)}")
    undocumented = [str(left["row"]) for left in summary.left_out if not left["documented"]]
    practice = list(dict.fromkeys(undocumented))
    if practice:
        said = "not run"
        if not summary.rows.keys().isdisjoint(practice):
            said = "not run, or not everywhere"
        count = number_of(len(practice), "practice row")
        console.print(f"[dim]{said}:[/] {count} ({_some(practice)}); the report says why")
    for entry in summary.unverified:
        console.print(f"[yellow]declared, not verified:[/] {escape(entry)}")
    for row in summary.required_missing:
        console.print(f"[red]required, and not run:[/] {escape(row)}")


def _seen_in_part(summary: Summary, console: Console) -> None:
    """What could not be seen in rows that passed; rows that lack the same share a line."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for row, found in summary.coverage.items():
        if found.unseen:
            lacking.setdefault(found.unseen, []).append(f"{row} {found.seen} of {found.of}")
    for unseen, rows in lacking.items():
        unobserved = escape(", ".join(unseen))
        console.print(f"[yellow]seen in part:[/] {_some(rows)}; not observed: {unobserved}")


def _closing_lines(summary: Summary, console: Console) -> None:
    """What was not seen, not run or not planned; then the figures in a sentence."""
    _seen_in_part(summary, console)
    _left_out(summary, console)
    if missing := summary.missing:
        planned = number_of(len(missing), "planned case")
        console.print(f"[magenta]{planned} not run:[/] {_some(missing)}")
    if unplanned := summary.unplanned:
        one, several = "case was reported", "cases were reported"
        said = number_of(len(unplanned), one, several)
        console.print(f"[magenta]{said} but not planned:[/] {_some(unplanned)}")
    if retried := summary.passed_on_retry:
        console.print(f"[yellow]{len(retried)} passed on retry:[/] {_some(retried)}")
    if summary.strangers:
        names = [one.source for one in summary.strangers]
        requests = number_of(sum(one.requests for one in summary.strangers), "request")
        strangers = number_of(len(names), "stranger")
        console.print(f"[dim]{requests} of {strangers} got no answer:[/] {_some(names)}")
    if summary.witnesses:
        about: set[str] = set()
        for added in summary.witnesses:
            about.update(added["cases"])
        files = number_of(len(summary.witnesses), "file")
        cases = number_of(len(about), "case")
        listed = _some([added["file"] for added in summary.witnesses])
        console.print(f"[dim]{files} of others added, about {cases}:[/] {listed}")
    if summary.interrupted:
        console.print(f"[magenta]the run was interrupted:[/] {escape(summary.interrupted)}")
    for what in summary.broke:
        console.print(f"[magenta]broke outside of any case:[/] {escape(what)}")
    # unknown for a run that was killed
    took = f" in {summary.wall_s:.1f} s" if summary.wall_s else ""
    counts = ", ".join(f"{count} {title}" for title, count in summary.shown.items())
    console.print(f"{number_of(summary.cases, 'case')}{took}: {counts}")


def _some(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(escape(name) for name in names[:most])  # ids hold brackets
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
