"""All cases of a run in figures: ``summary.json`` for machines, a closing table for the terminal."""

from __future__ import annotations

import dataclasses
import json
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.report.evidence import CaseEvidence
from harness.verdict import Verdict

_PACKAGES = {
    "harness": "call-verification-harness",
    "pjsua2": "pjsua2-python",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
    "allure": "allure-pytest",
    "pydantic": "pydantic",
    "numpy": "numpy",
}


@dataclass
class Counts:
    """How cases ended; ``wall_s`` is the sum of their durations, in seconds."""

    cases: int = 0
    passed: int = 0
    failed: int = 0
    not_observable: int = 0
    broken: int = 0
    skipped: int = 0
    wall_s: float = 0.0

    def add(self, verdict: Verdict | None, wall_s: float) -> None:
        """Count a case; without a verdict it was skipped."""
        self.cases += 1
        self.wall_s += wall_s
        name = "skipped" if verdict is None else verdict.name.lower()
        setattr(self, name, getattr(self, name) + 1)

    @property
    def verdict(self) -> str:
        """The worst that happened, as one word."""
        for name in ("broken", "failed", "not_observable", "passed"):
            if getattr(self, name):
                return name.replace("_", " ")
        return "skipped"

    def plain(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {**dataclasses.asdict(self), "wall_s": round(self.wall_s, 3)}


@dataclass
class Summary:
    """A run in figures."""

    run: str
    began: float  #: seconds since the epoch
    total: Counts
    rows: dict[str, Counts]
    integrations: dict[str, dict[str, Counts]]
    wall_s: float  #: the run's own, not the sum
    scripted_s: float
    overhead_s_median: float  #: of a case: its wall time over its scripted time
    workers: int
    versions: dict[str, str]
    deployments: dict[str, str] = field(default_factory=dict)  #: name: kind
    passed_on_retry: list[str] = field(default_factory=list)
    planned: int = 0
    missing: list[str] = field(default_factory=list)  #: planned, never reported; counted as broken
    unplanned: list[str] = field(default_factory=list)  #: reported, never planned
    interrupted: str = ""

    @property
    def consistent(self) -> bool:
        """Whether exactly the planned cases were reported."""
        return not self.missing and not self.unplanned

    @property
    def exit_code(self) -> int:
        """0 all passed; 1 something failed or could not be observed; 3 nothing failed, but something broke."""
        if self.total.failed or self.total.not_observable:
            return 1
        return 3 if self.total.broken or not self.consistent or self.interrupted or not self.total.cases else 0

    def plain(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        total = self.total.plain()
        del total["wall_s"]
        return {
            "run": self.run,
            "began": self.began,
            **total,
            "passed_on_retry": self.passed_on_retry,
            "wall_s": round(self.wall_s, 3),
            "scripted_s": round(self.scripted_s, 3),
            "case_overhead_s_median": round(self.overhead_s_median, 4),
            "workers": self.workers,
            "rows": {row: counts.plain() for row, counts in self.rows.items()},
            "integrations": {
                name: {"rows": {row: counts.plain() for row, counts in rows.items()}}
                for name, rows in self.integrations.items()
            },
            "deployments": self.deployments,
            "versions": self.versions,
            "planned": {"planned": self.planned, "missing": self.missing, "unplanned": self.unplanned},
            "interrupted": self.interrupted,
        }

    def write(self, path: Path) -> None:
        """Write ``summary.json``."""
        path.write_text(json.dumps(self.plain(), indent=1) + "\n", encoding="utf-8")


def latest(evidences: Iterable[CaseEvidence]) -> list[CaseEvidence]:
    """Of each case its last attempt: by integration, row and id."""
    last: dict[str, CaseEvidence] = {}
    for evidence in evidences:
        known = last.get(evidence.id)
        if known is None or (evidence.attempt, evidence.began) >= (known.attempt, known.began):
            last[evidence.id] = evidence
    return sorted(last.values(), key=lambda evidence: (evidence.integration, evidence.row, evidence.id))


def summarise(
    evidences: Sequence[CaseEvidence],
    planned: Sequence[Mapping[str, object]],
    *,
    run: str,
    wall_s: float,
    workers: int,
    skipped: Mapping[str, str] | None = None,
    interrupted: str = "",
) -> Summary:
    """Add a run up. ``planned`` is the plain data of every case that was to run, ``skipped`` maps ids to reasons.

    A planned case without evidence counts as broken, so that ``cases`` is never smaller than what was planned.
    """
    skipped = skipped or {}
    cases = latest(evidences)
    total = Counts()
    rows: dict[str, Counts] = {}
    integrations: dict[str, dict[str, Counts]] = {}

    def count(integration: str, row: str, verdict: Verdict | None, wall: float) -> None:
        by_row = integrations.setdefault(integration, {})
        for counts in (total, rows.setdefault(row, Counts()), by_row.setdefault(row, Counts())):
            counts.add(verdict, wall)

    for evidence in cases:
        count(evidence.integration, evidence.row, evidence.verdict, evidence.wall_s)
    reported = {evidence.id for evidence in cases}
    wanted = {str(case["id"]): case for case in planned}
    missing = []
    for case_id, case in wanted.items():
        if case_id in reported:
            continue
        if case_id not in skipped:
            missing.append(case_id)
        verdict = None if case_id in skipped else Verdict.BROKEN
        count(str(case.get("integration", "")), str(case.get("row", "")), verdict, 0.0)
    return Summary(
        run=run,
        began=min((evidence.began_wall for evidence in cases), default=0.0),
        total=total,
        rows=rows,
        integrations=integrations,
        wall_s=wall_s,
        scripted_s=sum(evidence.scripted_s for evidence in cases),
        overhead_s_median=statistics.median([e.wall_s - e.scripted_s for e in cases if e.closed] or [0.0]),
        workers=workers,
        versions=versions(),
        deployments={str(e.case.get("deployment", "")): str(e.case.get("kind", "")) for e in cases},
        passed_on_retry=[e.id for e in cases if e.attempt > 1 and e.verdict is Verdict.PASSED],
        planned=len(wanted),
        missing=missing,
        unplanned=sorted(reported - wanted.keys()),
        interrupted=interrupted,
    )


def versions() -> dict[str, str]:
    """What the run was made with."""
    found = {"python": platform.python_version()}
    for name, package in _PACKAGES.items():
        try:
            found[name] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found | {"system": f"{platform.system()} {platform.release()}"}


_COLUMNS = (
    ("passed", "green"),
    ("failed", "red"),
    ("not observable", "yellow"),
    ("broken", "magenta"),
)


def table(summary: Summary) -> Table:
    """The closing table: integration × row."""
    skips = summary.total.skipped > 0
    result = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    result.add_column("integra-\ntion", no_wrap=True)  # 80 columns hold the longest row
    result.add_column("row", no_wrap=True)
    for title, _ in _COLUMNS:
        result.add_column(title.replace(" observable", "\nobs."), justify="right", min_width=6, no_wrap=True)
    if skips:
        result.add_column("skipped", justify="right", min_width=7)
    result.add_column("cases", justify="right", min_width=5)
    result.add_column("seconds", justify="right", min_width=7)

    def add(integration: str, row: str, counts: Counts, seconds: float, style: str | None = None) -> None:
        cells = []
        for title, colour in _COLUMNS:
            value = getattr(counts, title.replace(" ", "_"))
            cells.append(f"[{colour}]{value}[/]" if value else "[dim]·[/]")
        if skips:
            cells.append(str(counts.skipped) if counts.skipped else "[dim]·[/]")
        result.add_row(integration, row, *cells, str(counts.cases), f"{seconds:.1f}", style=style)

    for name, rows in summary.integrations.items():
        for index, (row, counts) in enumerate(sorted(rows.items())):
            add(name if index == 0 else "", row, counts, counts.wall_s)
        result.add_section()
    add("all", "", summary.total, summary.wall_s, style="bold")
    return result


def show(summary: Summary, console: Console) -> None:
    """Print the closing table, and what does not add up."""
    console.print(table(summary))
    total = summary.total
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    console.print(
        f"{total.cases} cases in {summary.wall_s:.1f} s: {total.passed} passed, {total.failed} failed, "
        f"{total.not_observable} not observable, {total.broken} broken{skipped}"
    )
    if summary.missing:
        console.print(f"[magenta]{len(summary.missing)} planned cases were never reported:[/] {_some(summary.missing)}")
    if summary.unplanned:
        console.print(
            f"[magenta]{len(summary.unplanned)} cases were reported but not planned:[/] {_some(summary.unplanned)}"
        )
    if summary.passed_on_retry:
        console.print(f"[yellow]{len(summary.passed_on_retry)} passed on retry:[/] {_some(summary.passed_on_retry)}")
    if summary.interrupted:
        console.print(f"[magenta]the run was interrupted:[/] {summary.interrupted}", markup=True)


def _some(names: Sequence[str], most: int = 5) -> str:
    # ids hold brackets, which rich would take for markup
    shown = ", ".join(name.replace("[", r"\[") for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
