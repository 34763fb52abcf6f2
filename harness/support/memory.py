"""Memory that a long-lived process has freed, and the system gets back; and what is never freed.

malloc keeps what was freed below the top of a heap (mallopt(3), ``M_TRIM_THRESHOLD``), and has a
heap for each of many threads: with calls that come and go, a process grows though it uses no more.
So it does where garbage waits for a collection of everything, which Python makes late in a process
of many objects.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time
from collections.abc import Iterator
from typing import Final

_EVERY_S: Final = 120.0
#: So many new objects make a collection worth it (:func:`gc.set_threshold`): of Python's own 700
#: most are still in use when it looks.
SELDOM: Final = (10_000, 10, 10)
#: The same work in small pieces, each some milliseconds, and the oldest next to never: where real
#: time goes on meanwhile.
SHORT: Final = (500, 4, 5_000)
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone


class FreedMemory:
    """This process's."""

    def __init__(self, *, collects: bool = True) -> None:
        """``collects``: garbage is looked for first; of all objects, which takes its time."""
        self._collects = collects
        self._due = time.monotonic() + _EVERY_S

    def give_back(self) -> None:
        """Every two minutes at most, up to 20 ms of CPU each time: to be called whenever that does
        no harm.
        """
        if time.monotonic() < self._due:
            return
        if self._collects:
            gc.collect()
        if _trim is not None:
            _trim(0)
        self._due = time.monotonic() + _EVERY_S


def settle(collections: tuple[int, int, int] = SELDOM) -> None:
    """What there is by now stays: no collection looks at it. Later ones are made so often:
    ``SELDOM``, or ``SHORT``.
    """
    gc.freeze()
    gc.set_threshold(*collections)


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Around what makes many objects that stay, as imports: garbage is not looked for meanwhile,
    and never among these again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
