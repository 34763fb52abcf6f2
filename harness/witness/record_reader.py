"""One call's record, read until nothing more can come into it, however many findings ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from harness.witness.call_record import CallRecord

Transcript = Literal["during", "after", "none"]
#: A transcript that has come is complete when it has stayed the same so long after the call: what stood still while the call went
#: on may only have been waiting for its end.
SETTLED_S = 2.0


class RecordReader:
    """Reads a call's record by ``read``, which raises nothing, and knows when it has told all it ever will.

    ``is_blind``: whether the last read failed, and gave what was known before. ``within_s`` is how long after a call's end its
    transcript may come: once for the call, not for each who asks.
    """

    def __init__(
        self,
        read: Callable[[], CallRecord],
        *,
        transcript: Transcript,
        within_s: float,
        is_down: Callable[[], bool] = lambda: False,
        is_blind: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._transcript = transcript
        self._within_s = within_s
        self._is_down = is_down
        self._is_blind = is_blind
        self._clock = clock
        self._over_since: float | None = None
        self._asked_since: float | None = None
        self._was_read = False
        self._text = ""
        self._text_since = 0.0
        self._seen_at = 0.0  # when the record was read last that the interface gave

    @property
    def is_final(self) -> bool:
        """Whether no word more is to be expected: there never is one, the call's time for them is over, or all are there."""
        if self._transcript == "none" or self._is_down():
            return True
        still_since = self._still_since
        if still_since is not None and self._seen_at - still_since >= SETTLED_S:
            return True
        now = self._clock()
        begun = self._asked_since if self._over_since is None else self._over_since
        return self._was_read and begun is not None and now - begun >= self._within_s

    @property
    def _still_since(self) -> float | None:
        """Since when the transcript of a call that is over has stayed the same; None where it has not come.

        One that comes after the call is not what the call had of it while it went on.
        """
        ended = self._over_since
        if ended is None or not self._text or (self._transcript == "after" and self._text_since < ended):
            return None
        return max(self._text_since, ended)

    @property
    def has_told_all(self) -> bool:
        """Whether the record says that the call is over, and its words are complete: only then does a missing word say something."""
        return self._over_since is not None and self.is_final and not self._is_down() and not self._is_blind()

    def look(self) -> CallRecord:
        """The record, read anew."""
        record, now = self._read(), self._clock()
        self._was_read = True
        if self._is_blind():
            return record
        self._seen_at = now
        if record.over and self._over_since is None:
            self._over_since = now
        if record.transcript != self._text:
            self._text, self._text_since = record.transcript, now
        return record

    def find(self, wanted: Callable[[str], bool], pause: Callable[[], None]) -> bool:
        """Whether the transcript has what is wanted, waiting for it as long as it may still come."""
        if self._asked_since is None:
            self._asked_since = self._clock()
        if wanted(self._text):
            return True
        while not self.is_final:
            if wanted(self.look().transcript):
                return True
            if not self.is_final:
                pause()
        return False
