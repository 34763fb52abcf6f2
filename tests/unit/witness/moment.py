"""A clock for readers of the far end's records."""

from __future__ import annotations

import threading


class Moment(float):
    """A moment that is compared with what others asked for as soon as it counts."""

    def __new__(cls, value: float) -> Moment:
        made = super().__new__(cls, value)
        made.counts = threading.Event()
        return made

    counts: threading.Event

    def __lt__(self, other: float) -> bool:
        self.counts.set()
        return float(self) < float(other)
