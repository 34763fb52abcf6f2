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


class Listener:
    """Listens for another process's heartbeat."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedReader | None = None
        self._last: Beat | None = None
        self._looked = time.monotonic()
        self.silent_s = 0.0  #: how long it has not stirred
        self._stood_still: deque[tuple[Beat, Beat]] = deque(
            maxlen=_KEPT
        )  # between which two its audio did
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
        if (
            beat is not None
            and self._last is not None
            and beat.stood_still_s > self._last.stood_still_s
        ):
            self._stood_still.append((self._last, beat))
        if beat is not None and beat.errors > (self._last.errors if self._last else 0):
            self._erred_at = beat.at
        self.silent_s = 0.0 if beat != self._last or beat is None else self.silent_s + awake
        self._last = beat
        return beat

    def has_erred(self, since: float) -> bool:
        """Whether it had an error of its own since then, as it says now."""
        known, beat = self._last.errors if self._last else 0, self._read()
        return self._erred_at >= since or (beat is not None and beat.errors > known)

    def stood_still(self, begin: float, end: float) -> list[float]:
        """For how many of the seconds between two moments its audio stood still, each time that it
        did, as far as it has said so.
        """
        found = (
            min(
                after.stood_still_s - before.stood_still_s,
                min(after.at, end) - max(before.at, begin),
            )
            for before, after in list(self._stood_still)
        )
        return [seconds for seconds in found if seconds > 0]

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
