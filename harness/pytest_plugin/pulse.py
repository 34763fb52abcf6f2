"""Whether this machine keeps up. Audio does not wait: where processes are woken late, it is lost, and timings stretch."""

from __future__ import annotations

import threading
import time

_PERIOD_S = 0.05
#: From here on a listener's jitter buffer cannot hide it.
LATE_S = 0.2


class Pulse:
    """A thread that wants to wake regularly, and notes how late it was at worst."""

    def __init__(self) -> None:
        self._worst = 0.0
        threading.Thread(target=self._beat, name="pulse", daemon=True).start()

    def take(self) -> float:
        """The worst lateness since the last time it was asked for, in seconds."""
        worst, self._worst = self._worst, 0.0
        return worst

    def _beat(self) -> None:
        due = time.monotonic()
        while True:
            due += _PERIOD_S
            time.sleep(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            self._worst = max(self._worst, now - due)
            due = now
