"""What a process has used."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

#: Linux makes a process's clock from its number so (clock_getcpuclockid(3),
#: include/linux/posix-timers.h).
_CPUCLOCK_SCHED: Final = 2


def cpu_s(pid: int) -> float:
    """CPU time a process has used, to the nanosecond: proc(5) has ticks of 10 ms, a tenth of what
    some legs use in ten seconds.
    """
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def threads_s(pids: Iterable[int]) -> defaultdict[str, float]:
    """CPU time that the threads of these processes have used, by their names: pjlib's own, and
    ``python`` for the interpreter's.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found[(task / "comm").read_text().strip()] += (
                int((task / "schedstat").read_text().split()[0]) / 1e9
            )
    return found
