"""The matrix of a run as a picture: rows × what their cases vary, with verdicts counted in each
cell.

One model for every page and format: the HTML pages render its tables by ``matrix.html.j2``; here
are terminal, Markdown and SVG.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar
from urllib.parse import urlencode

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from harness.case.verdict import ORDER, Verdict
from harness.report.evidence import PlainCase, axes_of, text_of
from harness.report.markup import SIGNS, render
from harness.report.run_directory import RunEvidence
from harness.report.scope import RowScope, Scope
from harness.report.terminal import STYLES

NOT_RUN = "not run"
#: The worst first; what was planned and never ran stands between what could not be seen and what
#: passed.
_WORST = (*map(str, ORDER[:-1]), NOT_RUN, str(Verdict.PASSED))
#: What a cell says, for somebody who sees one for the first time: verdict, mark, words.
LEGEND = (
    ("passed", f"{SIGNS['passed']} 3", "all 3 passed"),
    ("failed", f"{SIGNS['failed']} 3", "all 3 failed"),
    ("failed", f"{SIGNS['failed']} 1/3", "1 of 3 failed"),
    *((verdict, SIGNS[verdict], verdict) for verdict in ("not observable", "broken", NOT_RUN)),
)
LEGEND_ENDS = "empty: no case; “passed” counts of all cases, asked for or not"
#: What may be a column, the finest division first: the way into the AI, the codec, who the AI is.
_DIVISIONS = (("way", "codec", "ai"), ("way", "ai"), ("way",), ("transport",), ())
#: The most columns of a deployment on a wide page, in Markdown and in the SVG.
MOST, MOST_NARROW = 24, 8
#: In a link: a value that the case does not have.
WITHOUT = "–"

Axes = Mapping[str, str]
#: The plain data of a case, and its verdict or :data:`NOT_RUN`.
Result = tuple[PlainCase, str]


@dataclass(frozen=True)
class Cell:
    """Cases of one row in one column, by verdict."""

    counts: Counter[str]

    @property
    def cases(self) -> int:
        """How many there are."""
        return self.counts.total()

    @property
    def verdict(self) -> str:
        """The worst of them."""
        return next(verdict for verdict in _WORST if self.counts[verdict])

    @property
    def sign(self) -> str:
        """The sign of the worst of them."""
        return SIGNS[self.verdict]

    @property
    def count(self) -> str:
        """How many of them have the worst verdict, ``3`` for all three, ``1/3`` for one; empty for
        one case.
        """
        if self.cases == 1:
            return ""
        count = self.counts[self.verdict]
        return str(count) if count == self.cases else f"{count}/{self.cases}"

    @property
    def mark(self) -> str:
        """Sign and count."""
        return f"{self.sign} {self.count}".strip()

    @property
    def by_verdict(self) -> list[tuple[str, int]]:
        """The verdicts that occur with their counts, the worst first."""
        return [(verdict, self.counts[verdict]) for verdict in _WORST if self.counts[verdict]]

    def __str__(self) -> str:
        return ", ".join(f"{count} {verdict}" for verdict, count in self.by_verdict)


@dataclass(frozen=True)
class Line:
    """One row of one deployment."""

    row: str
    title: str
    cells: tuple[Cell | None, ...]  #: one a column; None: the row has no case there
    total: Cell | None  #: None: no case was to run
    of: int  #: how many cases there are, asked for or not
    why: str = ""  #: why no case was to run

    @property
    def verdict(self) -> str:
        """The worst of its cases; not run without one."""
        return self.total.verdict if self.total else NOT_RUN

    @property
    def passed(self) -> str:
        """How many cases passed, of all that there are."""
        passed = self.total.counts[str(Verdict.PASSED)] if self.total else 0
        return f"{passed}/{self.of}"


@dataclass(frozen=True)
class Table:
    """The rows of one deployment at one site."""

    legend: ClassVar = LEGEND
    legend_ends: ClassVar = LEGEND_ENDS

    deployment: str
    site: str  #: empty where the run has one site
    names: tuple[str, ...]  #: of what the columns differ in: axes of the cases
    columns: tuple[tuple[str, ...], ...]  #: values of these; empty where a case has none
    same: Axes  #: what all cases have in common
    lines: tuple[Line, ...]

    @cached_property
    def total(self) -> Cell:
        """All cases."""
        counts: Counter[str] = Counter()
        for line in self.lines:
            if line.total:
                counts += line.total.counts
        return Cell(counts)

    def worst(self) -> int:
        """How bad the worst of its cases is; the worst is first."""
        return min((_WORST.index(line.verdict) for line in self.run), default=len(_WORST))

    @property
    def headed(self) -> tuple[tuple[str, ...], ...]:
        """The columns, where there is more than one."""
        return self.columns if self.names else ()

    @property
    def run(self) -> list[Line]:
        """The rows of which cases were to run."""
        return [line for line in self.lines if line.total]

    @property
    def skipped(self) -> dict[str, list[Line]]:
        """The others, by the reason."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            if not line.total:
                found.setdefault(line.why, []).append(line)
        return found

    @property
    def common(self) -> str:
        """What all its cases have in common."""
        return " · ".join(word(name, value) for name, value in self.same.items() if value)

    @property
    def heading(self) -> str:
        """Deployment and site, and what all its cases have in common."""
        place = f"{self.deployment} at {self.site}" if self.site else self.deployment
        return f"{place}: {self.common}" if self.common else place

    @property
    def has_levels(self) -> bool:
        """Whether the columns have an upper and a lower heading."""
        return len(self.groups) > 1 and any(map(self.lower, self.columns))

    def starts(self, column: tuple[str, ...]) -> bool:
        """Whether the column is the first of its upper heading."""
        if not self.has_levels:
            return False
        if column == self.columns[0]:
            return True
        before = self.columns[self.columns.index(column) - 1]
        return self._way(before) != self._way(column)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The columns' upper heading, with how many columns it spans: the way into the AI."""
        spans: dict[str, int] = {}
        for column in self.columns:
            words = self._way(column)
            spans[words] = spans.get(words, 0) + 1
        return list(spans.items())

    def _way(self, column: Sequence[str]) -> str:
        return " · ".join(self._words(column, ways=True))

    def lower(self, column: Sequence[str]) -> str:
        """A column's lower heading: codec and AI."""
        return " · ".join(self._words(column, ways=False))

    def label(self, column: Sequence[str]) -> str:
        """A column in words."""
        return " · ".join(filter(None, (self._way(column), self.lower(column))))

    def link(self, line: Line, column: Sequence[str] = ()) -> str:
        """The part of the report's address that chooses the cases of a cell, or of a whole line."""
        axes = {name: value or WITHOUT for name, value in zip(self.names, column, strict=False)}
        site = {"site": self.site} if self.site else {}
        return urlencode({"row": line.row, "deployment": self.deployment} | site | axes)

    def _words(self, column: Sequence[str], *, ways: bool) -> list[str]:
        words = []
        for name, value in zip(self.names, column, strict=True):
            is_way = name not in ("codec", "ai")
            if value and is_way is ways:
                words.append(word(name, value))
        return words


def word(axis: str, value: str) -> str:
    """The value of an axis as a heading has it."""
    if axis in ("transport", "codec") or value == "ip":
        return value.upper()
    return "Synthflow" if value == "synthflow" else value


def of_run(run: RunEvidence, most: int = MOST) -> tuple[Table, ...]:
    """The tables of a run, with at most so many columns each."""
    results = [(case.case, str(case.verdict)) for case in run.cases]
    results += [(case, NOT_RUN) for case in run.absent]
    return tables(run.scope, results, most)


def tables(scope: Scope, results: Iterable[Result], most: int = MOST) -> tuple[Table, ...]:
    """The tables of these results: one a deployment and site, in the order of the scope; rows in
    that of the integration.
    """
    results = list(results)
    places: dict[tuple[str, str], list[Result]] = {}
    rows: dict[tuple[str, str], dict[str, RowScope]] = {}
    for one in scope.deployments:
        places[one.name, one.site or "local"] = []
        rows[one.name, one.site or "local"] = {row.row: row for row in one.rows}
    for case, verdict in results:
        place = text_of(case, "deployment"), str(case.get("site") or "local")
        places.setdefault(place, []).append((case, verdict))
    several = len({site for _, site in places}) > 1
    made = []
    for (name, site), found in places.items():
        shown_site = site if several else ""
        made.append(_table(name, shown_site, rows.get((name, site), {}), found, most))
    return tuple(made)


def _table(
    deployment: str,
    site: str,
    rows: Mapping[str, RowScope],
    results: Sequence[Result],
    most: int,
) -> Table:
    """One deployment at one site: its columns, then a line for each row, also those without a case."""
    cases = [_Placed(case, verdict) for case, verdict in results]
    names, columns = _columns(cases, most)
    every = _names_of(_DIVISIONS[0], cases)
    values = {name: {case.axes.get(name, "") for case in cases} for name in every}
    same = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}
    by_row: dict[str, list[_Placed]] = {}
    for case in cases:
        by_row.setdefault(case.row, []).append(case)
    lines = []
    for row in dict.fromkeys((*rows, *by_row)):
        found = _cells(by_row.get(row, []), names)
        cells = [found.get(column) for column in columns] if names else []
        lines.append(_line(row, rows.get(row), by_row.get(row, []), cells))
    return Table(deployment, site, names, columns, same, tuple(lines))


def _cells(cases: Sequence[_Placed], names: Sequence[str]) -> dict[tuple[str, ...], Cell]:
    """The cells of a row that have cases, by column."""
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for case in cases:
        counts.setdefault(case.values(names), Counter())[case.verdict] += 1
    return {column: Cell(counted) for column, counted in counts.items()}


def _line(
    row: str, known: RowScope | None, cases: Sequence[_Placed], cells: Sequence[Cell | None]
) -> Line:
    """A row; ``known`` is None where the scope does not have it."""
    planned = len(known.cases) if known else 0
    return Line(
        row=row,
        title=known.title if known else cases[0].title,
        cells=tuple(cells),
        total=Cell(Counter(case.verdict for case in cases)) if cases else None,
        of=max(planned, len(cases)),
        why=known.why_not_asked if known and not cases else "",
    )


@dataclass(frozen=True)
class _Placed:
    """A case as the matrix counts it."""

    case: PlainCase = field(repr=False)
    verdict: str

    @cached_property
    def axes(self) -> Axes:
        return axes_of(self.case)

    @property
    def row(self) -> str:
        return text_of(self.case, "row")

    @property
    def title(self) -> str:
        return str(self.case.get("title") or self.row)

    def values(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.axes.get(name, "") for name in names)


def _names_of(division: Sequence[str], cases: Sequence[_Placed]) -> tuple[str, ...]:
    """The axes of a division. The way in is a trunk where the deployment has several, else
    transport and authentication.
    """
    has_trunks = any("trunk" in case.axes for case in cases)
    names: list[str] = []
    for part in division:
        if part != "way":
            names.append(part)
        elif has_trunks:
            names.append("trunk")
        else:
            names += ("transport", "authentication")
    return tuple(names)


def _columns(
    cases: Sequence[_Placed], most: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The finest division of at most so many columns: the axes that differ, and their values."""
    for division in _DIVISIONS:
        names = tuple(name for name in _names_of(division, cases) if _differs(name, cases))
        columns = {case.values(names) for case in cases}
        if len(columns) <= most:
            break
    return names, tuple(sorted(columns, key=_order))


def _differs(axis: str, cases: Sequence[_Placed]) -> bool:
    return len({case.axes.get(axis, "") for case in cases}) > 1


def _order(column: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """UDP before TCP before TLS; by address before by password; without a codec, and the stand-in,
    last.
    """
    first = ("udp", "tcp", "tls", "ip", "digest", "pcmu", "pcma", "synthflow", "stand-in")
    keys = []
    for value in column:
        place = first.index(value) if value in first else len(first)
        keys.append((place, value))
    return tuple(keys)


# -- terminal, Markdown, SVG

#: In a terminal, what a title and a column take of the width; how many rows that were not run are
#: named for one reason.
_TITLE, _COLUMN, _MOST_NAMED = 44, 9, 4


def terminal_columns(width: int) -> int:
    """How many columns a terminal of that width has room for."""
    return max(1, (width - _TITLE - _COLUMN) // _COLUMN)


def show(found: Iterable[Table], console: Console) -> None:
    """Print the tables, each with the rows that were not run and the reason, then the legend."""
    for table in found:
        _show(table, console)
        console.print()
    console.print(Text(legend(), "dim"))


def legend() -> str:
    """What a cell says, in a sentence."""
    return f"{'; '.join(f'{mark} {words}' for _, mark, words in LEGEND)}; {LEGEND_ENDS}"


def _show(table: Table, console: Console) -> None:
    """Print a table, and below it the rows that were not run."""
    console.print(Text(f"{table.heading}: {table.total}", "bold"))
    found = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    found.add_column("row", min_width=24, overflow="fold")
    for column in table.headed:
        found.add_column(table.label(column).replace(" · ", "\n"), no_wrap=True)
    found.add_column("passed", justify="right", no_wrap=True)
    for line in table.run:
        cells = [Text(cell.mark, STYLES[cell.verdict]) if cell else Text("") for cell in line.cells]
        name = Text.assemble(line.title, (f" {line.row}", "dim"))
        found.add_row(name, *cells, Text(line.passed, STYLES[line.verdict]))
    console.print(found)
    for why, lines in table.skipped.items():
        names = ", ".join(f"{line.title} {line.row}" for line in lines[:_MOST_NAMED])
        more = f" and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
        console.print(Text(f"{NOT_RUN}: {names}{more}: {why}", STYLES[NOT_RUN]))


def markdown(found: Iterable[Table]) -> str:
    """The tables as GitHub's Markdown, for a job summary."""
    return render("matrix.md.j2", tables=found, legend=legend())


_FILLS = {
    "passed": "#d1fadf", "failed": "#fecdca", "not observable": "#fedf89", "broken": "#d9d6fe", NOT_RUN: "#e4e7eb",
}  # fmt: skip


def svg(found: Sequence[Table], title: str) -> str:
    """The tables as one picture that needs nothing else; ``title`` is its name for those who cannot
    see it.
    """
    return render("matrix.svg.j2", tables=found, title=title, legend=legend(), fills=_FILLS)
