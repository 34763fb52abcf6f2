"""One clock of 20 ms for everything in the world that sends or analyses audio."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

TICK: Final = 0.020  #: seconds: one G.711 frame of 160 octets
_MOST_LATE = 0.2  # a clock further behind than this starts anew, instead of catching up in a burst

_KEPT = 20_000  # times of standing still, of a long run on a busy machine

_COMPLAIN_EVERY = 10.0

_log = logging.getLogger(__name__)


class Ticker:
    """Calls its subscribers every 20 ms without drift, for as long as there are any."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[], None]] = []
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._complained = float("-inf")
        self._worst = 0.0
        #: From when to when (monotonic) audio stood still, since the machine was too busy.
        self.stood_still: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self.stood_still_s = 0.0  #: for how long in all

    def add(self, subscriber: Callable[[], None]) -> None:
        """Add a subscriber."""
        self._subscribers.append(subscriber)
        if self._handle is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time()
            self._handle = loop.call_at(self._due, self._tick)

    def remove(self, subscriber: Callable[[], None]) -> None:
        """Remove a subscriber."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def stop(self) -> None:
        """Remove all subscribers."""
        self._subscribers.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _skipped(self, late: float) -> None:
        self._due = now = asyncio.get_running_loop().time()
        self.stood_still.append((now - late, now))
        self.stood_still_s += late
        self._worst = max(self._worst, late)
        if now - self._complained > _COMPLAIN_EVERY:
            _log.warning("audio stood still for %.0f ms: this machine is too busy", 1000 * self._worst)
            self._complained, self._worst = now, 0.0

    def _tick(self) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber()
            except Exception:
                _log.exception("a subscriber of the ticker failed and is dropped")
                self.remove(subscriber)
        if not self._subscribers:
            self._handle = None
            return
        loop = asyncio.get_running_loop()
        self._due += TICK
        late = loop.time() - self._due
        if late > _MOST_LATE:
            self._skipped(late)
        self._handle = loop.call_at(self._due, self._tick)
