"""What all legs of the process hear, in one thread: it wakes as seldom as a decision allows, and looks at all of them at once.

The audio clock's own thread records what comes, in C, and never waits for Python.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager

from harness.phone.child.hearing import Hearing
from harness.phone.child.native import Recorder


class _Stream:
    """A leg's recording, as far as it has been heard."""

    def __init__(self, recorder: Recorder, hearing: Hearing) -> None:
        self._recorder, self.hearing = recorder, hearing
        self._heard = 0  # octets

    def listen(self) -> None:
        """Hear what is new."""
        octets = self._recorder.read(self._heard)
        if octets:
            self._heard += len(octets)
            self.hearing.feed(time.monotonic(), octets)


class Ear:
    """Hears the recordings that it is given. What a pass finds is told ``together``; a failure goes to ``fault``."""

    def __init__(self, together: Callable[[], AbstractContextManager[None]], fault: Callable[[str], None]) -> None:
        self._together, self._fault = together, fault
        self._streams: dict[Recorder, _Stream] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def begin(self, recorder: Recorder, hearing: Hearing) -> None:
        """Hear what is recorded from now on."""
        with self._changed:
            self._streams[recorder] = _Stream(recorder, hearing)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ear", daemon=True)
                self._thread.start()

    def end(self, recorder: Recorder) -> None:
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
            streams = self._streams.values()
            with self._together():
                for stream in streams:
                    stream.listen()
            self._changed.wait(min((stream.hearing.pause for stream in streams), default=None))
