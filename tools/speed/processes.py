"""What a process has used."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def cpu_s(pid: int) -> float:
    """CPU time a process has used (Linux: proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def threads_s(pids: Iterable[int]) -> defaultdict[str, float]:
    """CPU time that the threads of these processes have used, by their names: pjlib's own, and ``python`` for the interpreter's."""
    found: defaultdict[str, float] = defaultdict(float)
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found[(task / "comm").read_text().strip()] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return found
