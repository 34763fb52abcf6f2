"""Sockets: their names, how they are freed, and how many pjlib has room for.

- The wheel's ioqueue has 64 socket slots and a call needs two. pjlib frees a closed socket's slot after PJ_IOQUEUE_KEY_FREE_DELAY,
  0.5 s, and one socket too many aborts the process. So calls (``SocketSlots``) and connections (``ConnectionLimit``) wait or are
  refused.
- pjsip keeps a transport until its last transaction times out (RFC 3261 timer J: 32 s), but the next case, perhaps in another process,
  needs the port now. The descriptor cannot simply be closed, because pjsip would close it again when it belongs to another file. So it
  is replaced by an unbound socket (``free``).
"""

from __future__ import annotations

import collections
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

_RESTS_S: Final = 0.6
#: Recently closed calls, from which on outgoing calls wait, and incoming ones are refused. The
#: limits differ so that a dialled call may arrive in the same process. Two sockets for each of 27
#: calls, and for the four calls that such a build holds, are 62; the media thread has one.
_DIALS_WAIT_FROM, _CALLS_REFUSED_FROM = 20, 27
LONGEST_TRANSACTION: Final = 33.0  # 64 × T1 (RFC 3261 table 4), and a margin
_MOST_TRANSACTIONS: Final = 1000

#: The key of an INVITE's transaction: branch, sent-by, Call-ID (RFC 3261 section 17.2.3).
Transaction = tuple[str, str, str]


class RecentlyClosed:
    """Counts closed sockets or calls, for as long as pjlib keeps their slots."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: collections.deque[tuple[float, object]] = collections.deque()

    def add(self, what: object = None) -> None:
        """Count ``what`` as closed now; if it was counted already, its time is updated."""
        if what is not None:
            self._at = collections.deque(entry for entry in self._at if entry[1] != what)
        self._at.append((self._clock(), what))

    def __len__(self) -> int:
        while self._at and self._at[0][0] < self._clock() - _RESTS_S:
            self._at.popleft()
        return len(self._at)


class SocketSlots:
    """Counts calls whose sockets were closed recently, and decides on incoming INVITEs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.needed = True  #: False for a build without assertions
        self._closed = RecentlyClosed(clock)
        self._decided: dict[Transaction, tuple[float, bool]] = {}

    def closed(self, let_in: tuple[str, str] | None = None) -> None:
        """Note that a call closed its sockets; ``let_in`` is branch and Call-ID of an incoming
        call's INVITE.
        """
        self._closed.add(let_in)

    @property
    def may_dial(self) -> bool:
        """Whether an outgoing call may open its sockets."""
        return not self.needed or len(self._closed) < _DIALS_WAIT_FROM

    def admits(self, transaction: Transaction) -> bool:
        """Whether the call of an INVITE may begin; a retransmission gets the same answer.

        pjsua opens the sockets before its callback, and closes those of a refused call at once. So
        each admitted INVITE counts as one closed call.
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


#: A socket bound to one of these has every address of the machine.
WILDCARDS: Final = ("0.0.0.0", "::")


class SocketName(NamedTuple):
    """The address and port of a socket on this machine; a phone's messages may name a router's
    instead.
    """

    host: str  #: without brackets
    port: int

    @classmethod
    def parse(cls, place: str) -> SocketName:
        """Parse ``address:port`` or ``[address]:port``."""
        host, _, port = place.rpartition(":")
        return cls(host.strip("[]"), int(port))

    def has_host(self, host: str) -> bool:
        """Whether a socket bound here may use the address ``host``."""
        return self.host in (host, *WILDCARDS)

    def covers(self, other: SocketName) -> bool:
        """Whether ``other`` may be the name of a socket bound here."""
        return self.port == other.port and self.has_host(other.host)


def among(descriptors: Iterable[str]) -> Iterator[int]:
    """The sockets among the entries of ``/proc/self/fd``."""
    for entry in descriptors:
        try:
            if os.readlink(f"/proc/self/fd/{entry}").startswith("socket:"):
                yield int(entry)
        except OSError:  # closed in the meantime, or the listing's own descriptor
            continue


def is_at(one: socket.socket, names: Iterable[SocketName]) -> bool:
    """Whether a socket has one of the names. Raises ``OSError``."""
    if one.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    local = SocketName(*one.getsockname()[:2])
    return any(name.covers(local) for name in names)


def free(names: Collection[SocketName], kind: socket.SocketKind) -> int:
    """Close every socket of this kind in this process that has one of ``names``; returns their
    number.

    The kind matters because TCP and UDP have separate ports: another phone's RTP may use a closed
    connection's port number.
    """
    freed = 0
    for descriptor in among(os.listdir("/proc/self/fd")):
        try:
            with socket.socket(fileno=os.dup(descriptor)) as peek:
                family = peek.family
                if peek.type != kind or not is_at(peek, names):
                    continue
            with socket.socket(family, kind) as blank:
                os.dup2(blank.fileno(), descriptor, inheritable=False)
            freed += 1
        except OSError:
            continue  # closed in the meantime
    return freed
