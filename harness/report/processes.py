"""The same work for each of many cases, on all cores."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import cache
from multiprocessing.process import BaseProcess
from typing import TypeVar

from harness.support.memory import settle

Item = TypeVar("Item")
Made = TypeVar("Made")

#: Fewer cases are done sooner than processes are started.
WORTH = 300
_AT_ONCE = 20
#: Parts that each of the others has: one it works at, and the next.
_IN_HAND = 2


def each(work: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
    """What ``work`` makes of each item, in their order. ``work`` is a function of a module, since other processes look it up."""
    if len(items) < WORTH:
        yield from map(work, items)
        return
    parts = [items[begin : begin + _AT_ONCE] for begin in range(0, len(items), _AT_ONCE)]
    elsewhere: dict[int, Future[list[Made]]] = {}
    given = len(parts)  # from here on: the others go backwards from the end, and meet this process
    for number, part in enumerate(parts):
        try:
            while number + 1 < given and sum(not one.done() for one in elsewhere.values()) < _IN_HAND * _beside():
                elsewhere[given - 1] = _pool().submit(_all, work, parts[given - 1])
                given -= 1
            made: Iterable[Made] = elsewhere.pop(number).result() if number >= given else map(work, part)
        except BrokenExecutor:  # a process was killed, as for want of memory: its part is made here
            _pool.cache_clear()
            made = map(work, part)
        yield from made


def _all(work: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    return list(map(work, items))


@cache
def _pool() -> ProcessPoolExecutor:
    """Processes beside this one that last as long: a run is read and its pages are made by the same, which take a second to start.

    Spawned, not forked: this process has threads.
    """
    return ProcessPoolExecutor(_beside(), multiprocessing.get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """In each of them, before any work: it ends with the process that it works for, however that ends.

    It waits for work at a pipe of which it has both ends, which alone would never tell it.
    """
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    settle()


def _end_with(parent: BaseProcess | None) -> None:
    if parent is not None:
        parent.join()
        os._exit(1)


def _beside() -> int:
    return max(1, (os.cpu_count() or 1) - 1)
