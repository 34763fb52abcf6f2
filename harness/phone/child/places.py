"""Whether pjlib has places for another call's sockets.

pjlib keeps the places of closed sockets for PJ_IOQUEUE_KEY_FREE_DELAY, 0.5 s; a call has two of the 64 that the wheel's
ioqueue has, and one more socket ends the process by an assertion.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import Final

_RESTS_S: Final = 0.6
#: Calls closed lately: from where on our own wait, and others' are refused. Apart, so that what was dialled may arrive here, too;
#: two sockets for each of the latter, and for those of the four calls that such a build holds, are 62.
_DIALS_WAIT_FROM, _CALLS_REFUSED_FROM = 20, 27
LONGEST_TRANSACTION: Final = 33.0  # 64 × T1 (RFC 3261 table 4), and a little
_MOST_TRANSACTIONS: Final = 1000

#: What names an INVITE's transaction: branch, sent-by, Call-ID (RFC 3261 section 17.2.3).
Transaction = tuple[str, str, str]


class ClosedLately:
    """Counts what was closed, for as long as pjlib keeps its places."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: collections.deque[tuple[float, object]] = collections.deque()

    def add(self, what: object = None) -> None:
        """One more was closed now: ``what``, unless that counts already; then it does so from now on."""
        if what is not None:
            self._at = collections.deque(entry for entry in self._at if entry[1] != what)
        self._at.append((self._clock(), what))

    def __len__(self) -> int:
        while self._at and self._at[0][0] < self._clock() - _RESTS_S:
            self._at.popleft()
        return len(self._at)


class Places:
    """Counts the calls whose sockets were closed lately, and decides on INVITEs that come in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.needed = True  #: by a build with assertions
        self._closed = ClosedLately(clock)
        self._decided: dict[Transaction, tuple[float, bool]] = {}

    def closed(self, let_in: tuple[str, str] | None = None) -> None:
        """A call closed its sockets; ``let_in`` is branch and Call-ID of the INVITE that began it here."""
        self._closed.add(let_in)

    @property
    def may_dial(self) -> bool:
        """Whether a call of our own may open its sockets."""
        return not self.needed or len(self._closed) < _DIALS_WAIT_FROM

    def admits(self, transaction: Transaction) -> bool:
        """Whether the call of an INVITE may begin; a repetition of it has the same answer.

        pjsua opens the sockets before it asks anybody, and closes those of a call that is refused at once: each INVITE
        that is let through counts as one that was closed, once.
        """
        now = self._clock()
        known = self._decided.get(transaction)
        if known is not None and known[0] > now - LONGEST_TRANSACTION:
            return known[1]
        room = not self.needed or len(self._closed) < _CALLS_REFUSED_FROM
        if room:
            branch, _, call_id = transaction
            self.closed((branch, call_id))
        while len(self._decided) >= _MOST_TRANSACTIONS:
            del self._decided[next(iter(self._decided))]
        self._decided.pop(transaction, None)
        self._decided[transaction] = (now, room)
        return room
