"""Things done at a deadline, unless they are cancelled before."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class DeadlineScheduler:
    """Runs callbacks at their deadlines unless they are cancelled; one thread for all of them, begun with the first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Have ``then`` called in ``seconds``; the function returned cancels it."""
        with self._changed:
            number = next(self._numbers)
            heapq.heappush(self._due, (time.monotonic() + seconds, number, then))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

        def cancel() -> None:
            with self._changed:
                self._cancelled.add(number)

        return cancel

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
                cancelled = number in self._cancelled
                self._cancelled.discard(number)
            if not cancelled:
                then()
