"""What a phone may do: asked in the parent, before the process is told to do it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from harness.limits import Admitted


@dataclass(frozen=True)
class Rules:
    """``guard`` raises :class:`RefusedError` for a URI that may not be called, ``admit`` waits until one more call may be
    placed and raises when none may; no leg, placed or taken, lasts longer than ``seconds_per_call``.
    """

    guard: Callable[[str], None] = lambda uri: None
    admit: Callable[[], Admitted] | None = None
    seconds_per_call: float | None = None


class CallSlot:
    """The permit of one call, or of two while a transfer replaces one by the other; given back with the last of them."""

    def __init__(self, permit: Admitted) -> None:
        self.permit = permit
        self._legs = 1
        self._lock = threading.Lock()

    def share(self) -> None:
        """One more leg is in this slot. Raises what :meth:`Admitted.another` raises."""
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
