"""What the reports of a run cost: ``python -m tools.speed.report RUN`` prints what its views cost,
measured in a process of its own, so that its peak of memory is theirs.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.report import signoff
from harness.report.run import remake


def write_reports(run: Path) -> dict[str, float]:
    """In this process: make every view of the run, then seal it."""
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
