"""Callbacks that run at a deadline unless cancelled."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Final

_LONGEST_S: Final = 3600.0  # per wait: a timeout beyond the platform's limit raises OverflowError


class DeadlineScheduler:
    """Runs callbacks at their deadlines in one thread, which starts with the first callback."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int]] = []
        self._then: dict[
            int, Callable[[], None]
        ] = {}  # by number; cancelling frees the callback, and its call, at once
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Call ``then`` in ``seconds``. Returns a function that cancels it."""
        with self._changed:
            number = next(self._numbers)
            self._then[number] = then
            heapq.heappush(self._due, (time.monotonic() + seconds, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

        def cancel() -> None:
            with self._changed:
                self._then.pop(number, None)

        return cancel

    def close(self) -> None:
        """Cancel all callbacks and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (not self._due or self._due[0][0] > time.monotonic()):
                    left = self._due[0][0] - time.monotonic() if self._due else _LONGEST_S
                    self._changed.wait(min(left, _LONGEST_S))
                if self._closed:
                    return
                then = self._then.pop(heapq.heappop(self._due)[1], None)
            if then is not None:
                then()
