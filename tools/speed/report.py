"""What the reports of a run cost: ``python -m tools.speed.report RUN`` prints what its views cost,
measured in a process of its own, so that its peak of memory is theirs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.report import signoff
from harness.report.run import remake
from tools.soak.processes import children, resident_kb


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
            kb = sum(map(resident_kb, [os.getpid(), *children(os.getpid())]))
            held.append(kb * 1024 / 1e6)

    looking = threading.Thread(target=look)
    looking.start()
    yield held
    over.set()
    looking.join()


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile everything anew
    print(json.dumps(write_reports(Path(sys.argv[1]))))
