"""The same work for each of many cases, on all cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

#: Fewer cases are done sooner than processes are started.
WORTH = 300
_AT_ONCE = 20


def each(work: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
    """What ``work`` makes of each item, in their order. ``work`` is a function of a module, since other processes look it up."""
    if len(items) < WORTH:
        yield from map(work, items)
        return
    made = 0
    try:
        # spawned, not forked: this process has threads
        with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
            for one in pool.map(work, items, chunksize=_AT_ONCE):
                made += 1
                yield one
    except BrokenExecutor:  # a process was killed, as for want of memory: what is left is made here
        yield from map(work, items[made:])
