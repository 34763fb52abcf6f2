"""What a run's processes use, from the kernel's accounts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True)
class Sample:
    """All processes of a run at one moment."""

    cases: int  #: that had ended by then
    descriptors: int
    each_kb: dict[int, int]  #: resident memory by process

    @property
    def rss_kb(self) -> int:
        """Of all together."""
        return sum(self.each_kb.values())

    @property
    def processes(self) -> int:
        """How many there are."""
        return len(self.each_kb)


def parent_of(pid: int) -> int | None:
    """The process's parent; None when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def children(pid: int) -> list[int]:
    """The processes that a process has started (proc_pid_task(5)); none once it is over."""
    try:
        lists = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for started in lists for child in started.split()]


def descendants(root: int) -> list[int]:
    """``root`` and all that come from it."""
    found = [root]
    for pid in found:  # which grows meanwhile
        found += children(pid)
    return found


def resident_kb(pid: int) -> int:
    """The memory of a process; none when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB
    except OSError:
        return 0


def command_of(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace")


def sample(root: int, cases: int) -> Sample:
    """What ``root`` and its descendants use now."""
    each: dict[int, int] = {}
    descriptors = 0
    for pid in descendants(root):
        try:
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        each[pid] = resident_kb(pid)
    return Sample(cases, descriptors, each)


class Growth(NamedTuple):
    """From the middle of a run to its end, medians of many samples: single ones have cases of one
    kind or another up.
    """

    rss_percent: float
    lasting_rss_percent: float  #: of those processes alone that are there from the first case on: workers, world, controller
    descriptors: int
    processes: int


def growth(samples: Sequence[Sample]) -> Growth | None:
    """Between the time from a third to a half of the cases, and the last sixth but the very end;
    None with too few samples.
    """
    most = max((one.cases for one in samples), default=0)
    early = [one for one in samples if most / 3 <= one.cases < most / 2]
    late = [one for one in samples if most * 0.8 <= one.cases < most * 0.97]
    if len(early) < 3 or len(late) < 3:
        return None

    def rise(name: str) -> float:
        return float(
            median(getattr(one, name) for one in late) - median(getattr(one, name) for one in early)
        )

    base = median(one.rss_kb for one in early)
    first = next(
        one for one in samples if one.cases
    )  # what came later, in a killed one's place, may still warm up
    lasting = set.intersection(*(set(one.each_kb) for one in (first, *early, *late)))
    before, after = (
        sum(median(one.each_kb[pid] for one in some) for pid in lasting) for some in (early, late)
    )
    return Growth(
        rss_percent=round(100 * rise("rss_kb") / base, 2),
        lasting_rss_percent=round(100 * (after - before) / before, 2) if before else 0.0,
        descriptors=round(rise("descriptors")),
        processes=round(rise("processes")),
    )
