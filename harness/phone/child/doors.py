"""Connections that come in wait while pjlib has few places for their sockets.

Its ioqueue for signalling has 64, too, keeps those of closed connections for half a second, and ends the process by an
assertion where none is free (``places.py`` does the same for calls). The kernel takes connections meanwhile, and keeps
them: what pjsip accepts from is another listening socket, to which nobody can connect. Who holds connections and is none of
the platform's loses them then.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import struct
from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

from harness.phone.child import sockets
from harness.phone.child.places import ClosedLately
from harness.phone.child.sockets import SocketName

#: Of sockets that are open or rest: from where on doors are shut, and below which they are opened again.
_SHUT_FROM, _OPEN_BELOW = 44, 36
_CLOSED: Final = re.compile(r"(?:UDP|TCP|TLS) (?:transport|listener) destroyed|Handshake failed on")


_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER of Linux
_DROP: Final = ctypes.create_string_buffer(struct.pack("@HBBI", 0x06, 0, 0, 0), 8)  # one BPF instruction: keep 0 octets


class Doorway(Protocol):
    """A phone, as far as its listening socket goes."""

    bound: SocketName

    @property
    def transport_name(self) -> str:
        """``udp``, ``tcp`` or ``tls``."""

    def admits(self, host: str, transport: str) -> bool:
        """Whether it acts on requests from there."""


class Doors:
    """The listening sockets of the process that has ``phones``."""

    def __init__(self, phones: Callable[[], Iterable[Doorway]]) -> None:
        self._phones = phones
        self.needed = False  #: by a build with assertions
        self._closed = ClosedLately()
        self._waiting: dict[int, socket.socket] = {}  # by the descriptor that pjsip knows: the socket that listens

    @property
    def have_room(self) -> bool:
        """Whether a new phone's sockets find places, or will find none later either."""
        return not (self.needed and len(self._closed)) or self._taken() < _SHUT_FROM

    def _taken(self) -> int:
        return len(list(sockets.among(os.listdir("/proc/self/fd")))) + len(self._closed)

    def heard(self, entry: str) -> None:
        """A line of pjsip's log, which says that a connection or a listening socket has ended."""
        if self.needed and _CLOSED.search(entry):
            self._closed.add()

    def look(self) -> None:
        """Shut the doors or open them, as there is room: in each turn, and before each connection gets its place."""
        if not self.needed:
            return
        phones = [phone for phone in self._phones() if phone.transport_name != "udp"]
        if not (phones or self._waiting):
            return
        descriptors = os.listdir("/proc/self/fd")  # more than the sockets: these are looked at where it matters
        if not self._waiting and len(descriptors) + len(self._closed) < _SHUT_FROM:
            return
        found = list(sockets.among(descriptors))
        taken = len(found) + len(self._closed)
        if taken >= _SHUT_FROM:
            names = [phone.bound for phone in phones]
            aside = {real.fileno() for real in self._waiting.values()}
            self._shut([number for number in found if number not in aside and _listens_at(number, names)])
            for number in found:
                _turn_away(number, phones)
        elif taken < _OPEN_BELOW:
            self.open()

    def _shut(self, numbers: Collection[int]) -> None:
        for number in numbers:
            real = socket.socket(fileno=os.dup(number))
            with socket.create_server(("127.0.0.1", 0)) as blank:
                blank.setblocking(False)
                with contextlib.suppress(OSError):  # a kernel without: a port of this machine's that nobody is told of
                    program = struct.pack("@HP", 1, ctypes.addressof(_DROP))
                    blank.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
                os.dup2(blank.fileno(), number, inheritable=False)
            self._waiting[number] = real

    def open(self) -> None:
        """Give pjsip its listening sockets back: also before it closes one, as its descriptor may be another's then."""
        for number, real in self._waiting.items():
            with real:
                os.dup2(real.fileno(), number, inheritable=False)
        self._waiting.clear()


def _turn_away(number: int, phones: Collection[Doorway]) -> None:
    """End a connection of somebody whom none of the phones listens to; pjsip sees its end, and closes it."""
    try:
        with socket.socket(fileno=os.dup(number)) as peek:
            if peek.family in (socket.AF_INET, socket.AF_INET6) and peek.type == socket.SOCK_STREAM:
                host = str(peek.getpeername()[0])
                if not any(phone.admits(host, phone.transport_name) for phone in phones):
                    peek.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has no other end
        return


def _listens_at(number: int, names: Collection[SocketName]) -> bool:
    try:
        with socket.socket(fileno=os.dup(number)) as peek:
            listens = peek.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return bool(listens) and sockets.is_at(peek, names)
    except OSError:
        return False
