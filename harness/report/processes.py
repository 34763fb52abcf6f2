"""The same work for each of many cases, on all cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from functools import cache
from typing import TypeVar

from harness.memory import settle

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
        for one in _pool().map(work, items, chunksize=_AT_ONCE):
            made += 1
            yield one
    except BrokenExecutor:  # a process was killed, as for want of memory: what is left is made here
        _pool.cache_clear()
        yield from map(work, items[made:])


@cache
def _pool() -> ProcessPoolExecutor:
    """Processes that last as long as this one: a run is read and its pages are made by the same, each of which takes a second to start.

    Spawned, not forked: this process has threads.
    """
    return ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), initializer=settle)
