"""A thread that analyses the received audio of all legs. It wakes as rarely as possible, and reads all recordings at once.

The audio clock's thread records the audio in C and never waits for Python.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from harness.phone.child.hearing import Hearing

_FRAME_S: Final = 0.018  # the next frame of 20 ms cannot come sooner
_STALE_S: Final = 0.1  # a stream without audio for this time is on hold
_ON_HOLD_S: Final = 0.05


class Recording(Protocol):
    """A running recording."""

    def read(self, begin: int) -> bytes:
        """The recorded octets from ``begin`` on."""


class _Stream:
    """A leg's recording, and how much of it has been analysed."""

    def __init__(self, recorder: Recording, hearing: Hearing) -> None:
        self._recorder, self._hearing = recorder, hearing
        self._heard = 0  # octets
        self._last = 0.0  # time of the last new audio

    def listen(self) -> float:
        """Analyse new audio; returns the seconds until the next read."""
        now = time.monotonic()
        octets = self._recorder.read(self._heard)
        if octets:
            self._heard += len(octets)
            self._last = now
            self._hearing.feed(now, octets)
            return max(self._hearing.pause, _FRAME_S)
        return self._hearing.pause if now - self._last < _STALE_S else _ON_HOLD_S


class MarkListener:
    """Analyses running recordings. Events of one pass are sent ``together``; a failure goes to ``fault``."""

    def __init__(self, together: Callable[[], AbstractContextManager[None]], fault: Callable[[str], None]) -> None:
        self._together, self._fault = together, fault
        self._streams: dict[Recording, _Stream] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, recorder: Recording, hearing: Hearing) -> None:
        """Start to analyse a recording."""
        with self._changed:
            self._streams[recorder] = _Stream(recorder, hearing)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mark listener", daemon=True)
                self._thread.start()

    def end(self, recorder: Recording) -> None:
        """Stop analysing a recording. Its memory is not read after this."""
        with self._changed:
            self._streams.pop(recorder, None)

    def _run(self) -> None:
        try:
            while True:
                self._listen()
        except Exception:
            self._fault(traceback.format_exc())

    def _listen(self) -> None:
        with self._changed:
            with self._together():
                pauses = [stream.listen() for stream in self._streams.values()]
            self._changed.wait(min(pauses, default=None))
