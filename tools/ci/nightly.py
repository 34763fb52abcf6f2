"""``.ci/nightly``: everything that is too long for each submission, and one table of what it found.

Parts: ``.ci/nightly --list``. ``.ci/nightly PART…`` runs some of them, and replaces their rows in
the table. The table is ``reports/nightly.json``; each part's output is in
``reports/nightly/PART.log``. Exit code 0 when every part that ran passed, 1 when one did not, 130
when interrupted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tools import ROOT, read_json, write_json
from tools.ci import programs
from tools.ci.parts import Outcome, Part, Runner, asked_for, interruptible, parts_of

TABLE: Final = ROOT / "reports" / "nightly.json"
LOGS: Final = ROOT / "reports" / "nightly"


def parts(seed: str, since: str | None) -> list[Part]:
    """Every part. ``seed`` draws customers and mutants; mutants of lines changed after the commit
    ``since`` are all tried.
    """
    return parts_of("nightly", seed=seed, since=f" --changed-since {since}" if since else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, write and print the table."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    interruptible()
    every = parts(asked.seed, yesterday())
    if asked.list:
        print("\n".join(f"{part.name:12}{' '.join(part.command)}" for part in every))
        return 0
    chosen = asked_for(parser, every, asked.parts)
    programs.main(program for part in chosen for program in part.programs)
    record = Record(TABLE, [part.name for part in every], [] if not asked.parts else _rows(TABLE))
    began = time.monotonic()
    try:
        outcomes = Runner(LOGS).run(
            chosen, lambda outcome: record.add(outcome, time.monotonic() - began)
        )
    except KeyboardInterrupt:
        return 130
    failed = [outcome for outcome in outcomes if outcome.exit_code]
    for outcome in failed:
        print(
            f"=== {outcome.part.name}: {outcome.result}, exit code {outcome.exit_code}; {outcome.log}"
        )
        print("\n".join(outcome.closing()))
    record.show()
    passed = f"{len(outcomes) - len(failed)} of {len(outcomes)} parts passed"
    print(f"{TABLE}: {passed} in {time.monotonic() - began:.0f} s")
    return int(bool(failed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=".ci/nightly", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="all by default")
    parser.add_argument("--list", action="store_true", help="show the parts and their commands")
    parser.add_argument(
        "--seed",
        default=f"{datetime.now(UTC):%Y%m%d}",
        help="draws customers and mutants (the date)",
    )
    return parser


def yesterday() -> str | None:
    """The newest commit that was there a day before the present one; None in a clone without it."""
    made = datetime.fromisoformat(_git("log", "-1", "--format=%cI"))
    before = (made - timedelta(days=1)).isoformat()
    return _git("rev-list", "-1", f"--before={before}", "HEAD") or None


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier run; none where there is no readable table."""
    try:
        rows: list[dict[str, Any]] = read_json(path)["parts"]
    except (OSError, ValueError, KeyError):
        return []
    return rows


class Record:
    """The table on disk, written anew when a part ends."""

    def __init__(self, path: Path, order: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        self._path, self._order, self._rows = path, order, {row["part"]: row for row in rows}
        self._commit = _git("rev-parse", "HEAD")

    def add(self, outcome: Outcome, seconds: float) -> None:
        """A part has ended, ``seconds`` after the run began."""
        self._rows[outcome.part.name] = {
            "part": outcome.part.name,
            "result": outcome.result,
            "exit_code": outcome.exit_code,
            "seconds": round(outcome.seconds, 1),
            "cpu_s": round(outcome.cpu_s, 1),
            "figures": dict(outcome.figures),
            "commit": self._commit,
            "ended": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        told = {"cores": os.cpu_count(), "seconds": round(seconds, 1), "parts": self._in_order()}
        write_json(self._path, told)

    def _in_order(self) -> list[dict[str, Any]]:
        return [self._rows[name] for name in self._order if name in self._rows]

    def show(self) -> None:
        """Print it."""
        table = Table("part", "result", "seconds", "cpu_s", "figures", title="nightly")
        for row in self._in_order():
            figures = "  ".join(f"{name} {value:g}" for name, value in row["figures"].items())
            table.add_row(
                row["part"], row["result"], f"{row['seconds']:.0f}", f"{row['cpu_s']:.0f}", figures
            )
        Console(width=160).print(table)
