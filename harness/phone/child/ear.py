"""What all legs of the process hear, in one thread: it wakes as seldom as a decision allows, and looks at all of them at once.

The audio clock's own thread records what comes, in C, and never waits for Python.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from harness.phone.child.hearing import Hearing

_FRAME_S: Final = 0.018  # so long at least until the next frame of 20 ms can be there
_STALE_S: Final = 0.1  # a stream that brings nothing for so long is on hold
_ON_HOLD_S: Final = 0.05


class Recorded(Protocol):
    """A recording that goes on."""

    def read(self, begin: int) -> bytes:
        """What was recorded from that octet on."""


class _Stream:
    """A leg's recording, as far as it has been heard."""

    def __init__(self, recorder: Recorded, hearing: Hearing) -> None:
        self._recorder, self._hearing = recorder, hearing
        self._heard = 0  # octets
        self._last = 0.0  # when something new was there

    def listen(self) -> float:
        """Hear what is new; gives how many seconds may pass until the next look."""
        now = time.monotonic()
        octets = self._recorder.read(self._heard)
        if octets:
            self._heard += len(octets)
            self._last = now
            self._hearing.feed(now, octets)
            return max(self._hearing.pause, _FRAME_S)
        return self._hearing.pause if now - self._last < _STALE_S else _ON_HOLD_S


class Ear:
    """Hears the recordings that it is given. What a pass finds is told ``together``; a failure goes to ``fault``."""

    def __init__(self, together: Callable[[], AbstractContextManager[None]], fault: Callable[[str], None]) -> None:
        self._together, self._fault = together, fault
        self._streams: dict[Recorded, _Stream] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, recorder: Recorded, hearing: Hearing) -> None:
        """Hear what is recorded from now on."""
        with self._changed:
            self._streams[recorder] = _Stream(recorder, hearing)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
                self._thread.start()

    def end(self, recorder: Recorded) -> None:
        """Hear it no more. Its memory is not touched from here on."""
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
