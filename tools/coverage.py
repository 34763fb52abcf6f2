"""``make coverage``: statements and branches that the tests reach, in every process they start, by
room.

Prints a table, writes ``reports/coverage.json``, exits 1 when a room that judges is below its bar,
and with pytest's own code when a test fails. Arguments go to pytest instead of the tests of rooms
and processes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools import ROOT, read_json, write_json

REPORT = ROOT / "reports" / "coverage.json"
#: The rooms that judge, and what of them has to be reached, in per cent of statements and branches
#: together.
BARS = dict.fromkeys(("audio", "case", "diagnosis", "sip"), 95.0)
_TESTS = ("tests/unit", "tests/process", "tests/contract", "-n", "auto")


def by_room(report: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What there is to reach in each room, what is reached, and per cent of it; ``report`` is what
    ``coverage json`` writes.
    """
    rooms: dict[str, Counter[str]] = {}
    for name, file in report["files"].items():
        room = rooms.setdefault(Path(name).parts[1].removesuffix(".py"), Counter())
        found = file["summary"]
        room["all"] += found["num_statements"] + found["num_branches"]
        room["reached"] += found["covered_lines"] + found["covered_branches"]
    return {
        name: {**room, "percent": 100 * room["reached"] / max(1, room["all"])}
        for name, room in rooms.items()
    }


def shortfalls(percents: Mapping[str, float]) -> list[str]:
    """A line for each room below its bar; one that was not measured is."""
    found = {name: percents.get(name, 0.0) for name in BARS}
    return [
        f"{name}: {found[name]:.1f} %, not {bar:g} %"
        for name, bar in BARS.items()
        if found[name] < bar
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests, put the processes' figures together, and judge."""
    data = ROOT / "reports" / "coverage"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    environment = os.environ | {"COVERAGE_FILE": str(data / "data")}

    def coverage(*words: str) -> int:
        command = [sys.executable, "-m", "coverage", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

    asked = list(sys.argv[1:] if arguments is None else arguments) or list(_TESTS)
    if code := coverage("run", "-m", "pytest", "-q", "-p", "no:cacheprovider", *asked):
        return code
    whole = data / "whole.json"
    if code := coverage("combine", "--quiet") or coverage("json", "--quiet", "-o", str(whole)):
        return code
    report = read_json(whole)
    rooms = by_room(report)
    percents = {name: room["percent"] for name, room in rooms.items()}
    missed = shortfalls(percents)
    files = {name: file["summary"]["percent_covered"] for name, file in report["files"].items()}
    write_json(REPORT, {"rooms": rooms, "bars": BARS, "missed": missed, "files": files})
    for name, percent in sorted(percents.items(), key=lambda item: item[1]):
        print(f"{percent:6.1f} %  {name}")
    for line in missed:
        print(f"MISSED   {line}")
    judged = ", ".join(f"{name} {percents[name]:.1f} %" for name in BARS if name in percents)
    print(f"coverage: {judged}; {REPORT}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
