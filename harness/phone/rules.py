"""What a phone may do: asked in the parent, before the process is told to do it."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Permit(Protocol):
    """A call's place among those that may be up at once."""

    def another(self) -> None:
        """Count one more call in this place: its phone followed a REFER. Raises :class:`RefusedError`."""

    def release(self) -> None:
        """The call has ended; harmless when done twice."""


@dataclass(frozen=True)
class Rules:
    """``guard`` raises :class:`RefusedError` for a URI that may not be called, ``admit`` waits until one more call may be
    placed and raises when none may; no leg, placed or taken, lasts longer than ``seconds_per_call``.
    """

    guard: Callable[[str], None] = lambda uri: None
    admit: Callable[[], Permit] | None = None
    seconds_per_call: float | None = None


class Place:
    """The permit of one call, or of two while a transfer replaces one by the other; given back with the last of them."""

    def __init__(self, permit: Permit) -> None:
        self.permit = permit
        self._legs = 1
        self._lock = threading.Lock()

    def share(self) -> None:
        """One more leg is in this place. Raises what :meth:`Permit.another` raises."""
        self.permit.another()
        with self._lock:
            self._legs += 1

    def leave(self) -> None:
        """One of its legs has ended."""
        with self._lock:
            self._legs -= 1
            last = self._legs == 0
        if last:
            self.permit.release()


class Curfew:
    """Does things at their time unless they are called off; one thread for all of them, begun with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._off: set[int] = set()
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Have ``then`` called in ``seconds``; the answer calls it off."""
        with self._changed:
            number = next(self._numbers)
            heapq.heappush(self._due, (time.monotonic() + seconds, number, then))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="curfew", daemon=True)
                self._thread.start()
            self._changed.notify()

        def off() -> None:
            with self._changed:
                self._off.add(number)

        return off

    def close(self) -> None:
        """Nothing is done any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._closed:
                    return
                _, number, then = heapq.heappop(self._due)
                called_off = number in self._off
                self._off.discard(number)
            if not called_off:
                then()
