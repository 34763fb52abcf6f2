"""Whether another process of this machine still stirs: it says so in a file, again and again.

That a process is dead the kernel tells (:func:`harness.deployment.limits.released`). One that is
stopped, or caught in a loop, holds all its locks: only its silence tells.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple

from harness.support.files import own_directories, user_files
from harness.support.stalls import LATE_S, Stall, within

#: How often a process says so, and how often others look.
PERIOD_S: Final = 0.25
#: What does not stir for so long leaves gaps in what it says.
DOUBTFUL_S: Final = 1.0
#: How long after a gap what begins, or is found, may still suffer from it.
AFTERWARDS_S: Final = 2.0
_RECORD = struct.Struct("=dqdq")
_KEPT: Final = 1200


class Beat(NamedTuple):
    """The last one: when, on the machine's monotonic clock, and by which process."""

    at: float
    pid: int
    stood_still_s: float  #: for how long in all its audio had stood still, of one that makes any
    errors: int  #: how many errors it has had


class Heartbeat:
    """This process's own."""

    def __init__(self, path: Path) -> None:
        self._descriptor = own_directories.shared_file(path)
        self.beat()

    def beat(self, stood_still_s: float = 0.0, errors: int = 0) -> None:
        """To be called every :data:`PERIOD_S`, where the process would not come by if it hung."""
        with contextlib.suppress(OSError):
            os.pwrite(
                self._descriptor,
                _RECORD.pack(time.monotonic(), os.getpid(), stood_still_s, errors),
                0,
            )


def _stalls_between(before: Beat, after: Beat) -> list[Stall]:
    """When a process did not run between two of its beats: its audio stood still, or the second one
    came late.
    """
    late_s = max(0.0, after.at - before.at - PERIOD_S)
    stood_still_s = after.stood_still_s - before.stood_still_s
    if stood_still_s <= 0 and late_s <= LATE_S:
        return []
    return [Stall(max(before.at, after.at - max(late_s, stood_still_s)), after.at)]


class Listener:
    """Listens for another process's heartbeat."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedReader | None = None
        self._last: Beat | None = None
        self._looked = time.monotonic()
        self.silent_s = 0.0  #: how long it has not stirred
        self._stalls: deque[Stall] = deque(maxlen=_KEPT)
        self._erred_at = -math.inf

    def listen(self, name: str, looked: Callable[[], None] = lambda: None) -> None:
        """Look for as long as this process lives, in a thread of that name; call ``looked`` behind
        each look.
        """

        def run() -> None:
            while True:
                time.sleep(PERIOD_S)
                self.look()
                looked()

        threading.Thread(target=run, name=name, daemon=True).start()

    def look(self) -> Beat | None:
        """The last beat; to be called every :data:`PERIOD_S`.

        What this process slept through itself, because the whole machine or session was stopped,
        counts as no silence.
        """
        now = time.monotonic()
        awake, self._looked = min(now - self._looked, 2 * PERIOD_S), now
        beat = self._read()
        if beat is not None and self._last is not None and beat.pid == self._last.pid:
            self._stalls += _stalls_between(self._last, beat)
        if beat is not None and beat.errors > (self._last.errors if self._last else 0):
            self._erred_at = beat.at
        self.silent_s = 0.0 if beat != self._last or beat is None else self.silent_s + awake
        self._last = beat
        return beat

    def has_erred(self, since: float) -> bool:
        """Whether it had an error of its own since then, as it says now."""
        known, beat = self._last.errors if self._last else 0, self._read()
        return self._erred_at >= since or (beat is not None and beat.errors > known)

    def stalls(self, begin: float, end: float) -> list[Stall]:
        """When it did not run between two moments, as its beats show; also a stall that goes on."""
        found = list(self._stalls)
        beat, now = self._read(), time.monotonic()
        if beat is not None and self._last is not None and beat.pid == self._last.pid:
            found += _stalls_between(self._last, beat)
        if beat is not None and now - beat.at > PERIOD_S + LATE_S:
            found.append(Stall(beat.at + PERIOD_S, now))
        return within(found, begin, end)

    def has_beaten(self, since: float) -> bool:
        """Whether it has shown since then that it runs, or never began to."""
        beat = self._read()
        return beat is None or beat.at >= since

    @property
    def pid(self) -> int | None:
        """Its process; None before the first look at its first beat."""
        return self._last.pid if self._last is not None else None

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def _read(self) -> Beat | None:
        with contextlib.suppress(OSError, struct.error):
            if (
                self._file is None
            ):  # once: each process of a run looks at each world four times a second
                self._file = user_files.opened(self._path)
            return Beat(*_RECORD.unpack(os.pread(self._file.fileno(), _RECORD.size, 0)))
        return None
