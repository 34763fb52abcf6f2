"""One reading for all who ask the same at once: of many calls that are up, each looks for itself in the same list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Of = TypeVar("Of", bound=Hashable)
Entry = TypeVar("Entry")


class _Reading(Generic[Entry]):
    def __init__(self, since: float) -> None:
        self.since = since
        self.found = Future[list[Entry]]()


class SharedReading(Generic[Of, Entry]):
    """Lists read since a given time. Requests during a reading share the next reading.

    So no answer is older than its request, and at most one reading waits behind the current one. Thread-safe.
    """

    def __init__(self, read: Callable[[float, Of], list[Entry]]) -> None:
        """``read`` gives the entries since a moment of one list; whatever it raises is raised to all who share it."""
        self._read = read
        self._guard = threading.Lock()
        self._turns: dict[Of, threading.Lock] = {}
        self._next: dict[Of, _Reading[Entry]] = {}

    def since(self, moment: float, of: Of) -> list[Entry]:
        """The entries since then, or since somewhat earlier."""
        with self._guard:
            reading = self._next.setdefault(of, _Reading(moment))
            reading.since = min(reading.since, moment)
            turn = self._turns.setdefault(of, threading.Lock())
        with turn:
            with self._guard:
                if is_first := self._next.get(of) is reading:
                    del self._next[of]
            if is_first:
                try:
                    reading.found.set_result(self._read(reading.since, of))
                except BaseException as error:
                    reading.found.set_exception(error)
        return list(reading.found.result())
