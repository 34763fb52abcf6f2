"""What the reports of a very large run cost, made of copies of a real run's cases: the reports of
:mod:`tools.speed.growth`.

Every copy is a case of its own: its evidence is on disk, recordings as links to the original's. One
case in ten failed, where the run has failed ones. ``python -m tools.speed.report RUN`` prints what
the views of a run cost, measured in a process of its own, so that its peak of memory is theirs.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_RECORDED = {".wav", ".flac", ".mp3", ".png", ".gz", ".pcapng"}


def enlarge(run: Path, target: Path, cases: int) -> Path:
    """A run of so many cases in ``target``, made of this one's. Returns its directory."""
    from harness.report.run_directory import read_planned

    made = target / run.name
    (made / "cases").mkdir(parents=True)
    by_verdict: dict[bool, list[Path]] = {True: [], False: []}
    for case in sorted((run / "cases").glob("*/case.json")):
        by_verdict[json.loads(case.read_text())["end"]["verdict"] == "passed"].append(case.parent)
    planned = {str(case["id"]): dict(case) for case in read_planned(run)[0]}
    listed = []
    for number in range(cases):
        passed = bool(number % 10) if all(by_verdict.values()) else bool(by_verdict[True])
        originals = by_verdict[passed]
        listed.append(_copy(originals[number % len(originals)], made / "cases", number, planned))
    _plan(run, made, listed)
    return made


def _copy(
    original: Path, into: Path, number: int, planned: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    directory = into / f"{original.name}-{number:05}"
    directory.mkdir()
    for file in original.rglob("*"):
        copy = directory / file.relative_to(original)
        if file.is_dir():
            copy.mkdir()
        elif file.suffix in _RECORDED:
            os.link(file, copy)
        else:
            shutil.copyfile(file, copy)
    case = json.loads((directory / "case.json").read_text())
    was = planned[case["id"]]
    case["id"] = f"{case['id'][:-1]}-{number:05}]"
    (directory / "case.json").write_text(json.dumps(case))
    return was | {"id": case["id"]}


def _plan(run: Path, made: Path, listed: list[dict[str, Any]]) -> None:
    """What the run was asked for, and what its runner knew, in terms of the copies."""
    by_row: dict[tuple[str, str], list[str]] = {}
    for case in listed:
        by_row.setdefault((str(case["deployment"]), str(case["row"])), []).append(str(case["id"]))
    scope = json.loads((run / "scope.json").read_text())
    for deployment in scope["deployments"]:
        for row in deployment["rows"]:
            row["cases"] = row["asked"] = by_row.get((deployment["name"], row["row"]), [])
    original = {case["id"]: finds for case in listed for finds in [_finds(scope, str(case["id"]))]}
    (made / "scope.json").write_text(json.dumps(scope | {"required": original}))
    end = json.loads((run / "run.json").read_text())
    end["end"]["allure_results"] = None
    (made / "run.json").write_text(json.dumps(end | {"planned": listed}))
    shutil.copyfile(run / "preflight.json", made / "preflight.json")


def _finds(scope: dict[str, Any], case: str) -> dict[str, int]:
    found: dict[str, int] = scope["required"].get(f"{case.rpartition('-')[0]}]", {})
    return found


def write_reports(run: Path) -> dict[str, float]:
    """In this process: make every view of the run, then seal it."""
    from harness.report import signoff
    from harness.report.run import remake

    began = time.perf_counter()
    with _peak_mb() as peak:
        signoff.seal(remake(run).evidence)
    return {"write_s": time.perf_counter() - began, "write_peak_mb": max(peak)}


@contextmanager
def _peak_mb() -> Iterator[list[float]]:
    """What this process and its children hold, ten times a second; a child's ``ru_maxrss`` counts
    what it was forked from.
    """
    held, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            held.append(sum(map(_resident_mb, [os.getpid(), *_children()])))

    looking = threading.Thread(target=look)
    looking.start()
    yield held
    over.set()
    looking.join()


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _children() -> list[int]:
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile everything anew
    print(json.dumps(write_reports(Path(sys.argv[1]))))
