"""Between the machine's monotonic clock, on which events are, and the wall clock of the far end's records."""

from __future__ import annotations

import time

_OFFSET = time.time() - time.monotonic()


def to_wall(monotonic: float) -> float:
    """Seconds since the epoch."""
    return monotonic + _OFFSET


def to_monotonic(wall: float) -> float:
    """Seconds on this machine's monotonic clock."""
    return wall - _OFFSET
