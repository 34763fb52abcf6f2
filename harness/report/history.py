"""What earlier runs found, one line of JSON a run, for the trends in a report."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.report.summary import Summary

FILE = "history.jsonl"


@dataclass(frozen=True)
class Run:
    """An earlier run: of each row its verdict and the sum of its cases' seconds."""

    run: str
    began: float  #: seconds since the epoch
    cases: int
    passed: int
    wall_s: float
    rows: dict[str, tuple[str, float]]

    @property
    def when(self) -> str:
        """When it began, in UTC."""
        return datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d %H:%M")


def append(path: Path, summary: Summary) -> None:
    """Add a run. Simultaneous runs may append: each line is one write under a lock."""
    line = {
        "run": summary.run,
        "began": summary.began,
        "cases": summary.total.cases,
        "passed": summary.total.passed,
        "wall_s": round(summary.wall_s, 3),
        "rows": {
            f"{integration}/{row}": [counts.verdict, round(counts.wall_s, 3)]
            for integration, rows in summary.integrations.items()
            for row, counts in rows.items()
        },
    }
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(file, json.dumps(line, separators=(",", ":")).encode() + b"\n")
    finally:
        os.close(file)


def read(path: Path, most: int = 20) -> list[Run]:
    """The last runs, oldest first; lines that cannot be read are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-most:]
    except FileNotFoundError:
        return []
    runs = []
    for line in lines:
        try:
            plain = json.loads(line)
            rows = {str(row): (str(verdict), float(wall)) for row, (verdict, wall) in plain["rows"].items()}
            runs.append(Run(plain["run"], plain["began"], plain["cases"], plain["passed"], plain["wall_s"], rows))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return runs
