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
import contextlib
import ctypes
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from harness.phone.child.account import HostedPhone

_RESTS_S: Final = 0.6
#: Recently closed calls, from which on outgoing calls wait, and incoming ones are refused. The
#: limits differ so that a dialled call may arrive in the same process. Two sockets for each of 27
#: calls, and for the four calls that such a build holds, are 62.
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


#: Open and recently closed sockets: from the first number on connections wait, below the second
#: they are accepted again.
_SHUT_FROM, _OPEN_BELOW = 44, 36
_CLOSED: Final = re.compile(r"(?:UDP|TCP|TLS) (?:transport|listener) destroyed|Handshake failed on")


_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER of Linux
_DROP: Final = ctypes.create_string_buffer(
    struct.pack("@HBBI", 0x06, 0, 0, 0), 8
)  # one BPF instruction: keep 0 octets


class ConnectionLimit:
    """Delays incoming TCP and TLS connections to ``phones`` while pjlib has few free socket slots.

    Meanwhile the kernel queues connections: pjsip gets a blank listening socket that cannot be
    reached. Connections from addresses that are not the platform's are then closed.
    """

    def __init__(self, phones: Callable[[], Iterable[HostedPhone]]) -> None:
        self._phones = phones
        self.needed = False  #: True for a build with assertions
        self._closed = RecentlyClosed()
        self._waiting: dict[
            int, socket.socket
        ] = {}  # pjsip's descriptor → the real listening socket

    @property
    def have_room(self) -> bool:
        """Whether a new phone's sockets get slots now; also True when waiting would not help."""
        return not (self.needed and len(self._closed)) or self._taken() < _SHUT_FROM

    def _taken(self) -> int:
        return len(list(among(os.listdir("/proc/self/fd")))) + len(self._closed)

    def heard(self, entry: str) -> None:
        """Read a line of pjsip's log, to count closed connections and listening sockets."""
        if self.needed and _CLOSED.search(entry):
            self._closed.add()

    def look(self) -> None:
        """Stop or resume accepting connections. Called in each turn, and before each connection
        gets its slot.
        """
        if not self.needed:
            return
        phones = [phone for phone in self._phones() if phone.transport_name != "udp"]
        if not (phones or self._waiting):
            return
        descriptors = os.listdir(
            "/proc/self/fd"
        )  # an upper bound; sockets are counted only if it matters
        if not self._waiting and len(descriptors) + len(self._closed) < _SHUT_FROM:
            return
        found = list(among(descriptors))
        taken = len(found) + len(self._closed)
        if taken >= _SHUT_FROM:
            names = [phone.bound for phone in phones]
            aside = {real.fileno() for real in self._waiting.values()}
            self._shut(
                [number for number in found if number not in aside and _listens_at(number, names)]
            )
            for number in found:
                _turn_away(number, phones)
        elif taken < _OPEN_BELOW:
            self.reopen()

    def _shut(self, numbers: Collection[int]) -> None:
        for number in numbers:
            real = socket.socket(fileno=os.dup(number))
            with socket.create_server(("127.0.0.1", 0)) as blank:
                blank.setblocking(False)
                with contextlib.suppress(
                    OSError
                ):  # kernel without socket filters: the blank socket's port is simply not published
                    program = struct.pack("@HP", 1, ctypes.addressof(_DROP))
                    blank.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
                os.dup2(blank.fileno(), number, inheritable=False)
            self._waiting[number] = real

    def reopen(self) -> None:
        """Restore pjsip's listening sockets. Also called before pjsip closes one, because its
        descriptor may then be reused.
        """
        for number, real in self._waiting.items():
            with real:
                os.dup2(real.fileno(), number, inheritable=False)
        self._waiting.clear()


def _turn_away(number: int, phones: Collection[HostedPhone]) -> None:
    """Shut down a connection from an address that no phone accepts; pjsip then closes it."""
    try:
        with socket.socket(fileno=os.dup(number)) as peek:
            if peek.family in (socket.AF_INET, socket.AF_INET6) and peek.type == socket.SOCK_STREAM:
                host = str(peek.getpeername()[0])
                if not any(phone.sources.include(host) for phone in phones):
                    peek.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected
        return


def _listens_at(number: int, names: Collection[SocketName]) -> bool:
    try:
        with socket.socket(fileno=os.dup(number)) as peek:
            listens = peek.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return bool(listens) and is_at(peek, names)
    except OSError:
        return False
