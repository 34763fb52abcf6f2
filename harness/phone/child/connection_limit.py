"""Delays incoming TCP and TLS connections while pjlib has few free socket slots (``socket_limits``)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import struct
from collections.abc import Callable, Collection, Iterable
from typing import Final

from harness.phone.child.account import HostedPhone
from harness.phone.child.socket_limits import RecentlyClosed, SocketName, among, is_at

#: Open and recently closed sockets: from the first number on connections wait, below the second
#: they are accepted again.
_SHUT_FROM, _OPEN_BELOW = 44, 36
_CLOSED: Final = re.compile(r"(?:UDP|TCP|TLS) (?:transport|listener) destroyed|Handshake failed on")


_DESCRIPTORS: Final = "/proc/self/fd"
_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER of Linux
#: One BPF instruction: keep 0 octets.
_DROP: Final = ctypes.create_string_buffer(struct.pack("@HBBI", 0x06, 0, 0, 0), 8)


class ConnectionLimit:
    """Delays incoming TCP and TLS connections to ``phones`` while pjlib has few free socket slots.

    Meanwhile the kernel queues connections: pjsip gets a blank listening socket that cannot be
    reached. Connections from addresses that are not the platform's are then closed.

    A build with assertions ends the process when pjlib has no socket slot left (``socket_limits``),
    and anybody can open connections to a phone.
    """

    def __init__(self, phones: Callable[[], Iterable[HostedPhone]]) -> None:
        self._phones = phones
        self.needed = False  #: True for a build with assertions
        self._closed = RecentlyClosed()
        #: pjsip's descriptor → the real listening socket.
        self._waiting: dict[int, socket.socket] = {}

    @property
    def have_room(self) -> bool:
        """Whether a new phone's sockets get slots now; also True when waiting would not help."""
        if not self.needed or not len(self._closed):
            return True
        return self._taken() < _SHUT_FROM

    @property
    def is_shut(self) -> bool:
        """Whether connections wait."""
        return bool(self._waiting)

    def _taken(self) -> int:
        return len(list(among(os.listdir(_DESCRIPTORS)))) + len(self._closed)

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
        # An upper bound: sockets are counted only if it matters. Since Linux 6.2 the directory's
        # size is their number, which takes a seventh of the time of a list; before, it is 0.
        descriptors = os.stat(_DESCRIPTORS).st_size or len(os.listdir(_DESCRIPTORS))
        if not self._waiting and descriptors + len(self._closed) < _SHUT_FROM:
            return
        found = list(among(os.listdir(_DESCRIPTORS)))
        taken = len(found) + len(self._closed)
        if taken >= _SHUT_FROM:
            names = [phone.bound for phone in phones]
            aside = {real.fileno() for real in self._waiting.values()}
            open_now = [number for number in found if number not in aside]
            self._shut([number for number in open_now if _listens_at(number, names)])
            for number in found:
                _turn_away(number, phones)
        elif taken < _OPEN_BELOW:
            self.reopen()

    def _shut(self, numbers: Collection[int]) -> None:
        """Put a blank socket in the place of each listening one; pjsip goes on with the same
        descriptor.
        """
        for number in numbers:
            real = socket.socket(fileno=os.dup(number))
            with socket.create_server(("127.0.0.1", 0)) as blank:
                blank.setblocking(False)
                # Kernel without socket filters: the blank socket's port is simply not published.
                with contextlib.suppress(OSError):
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
            is_ip = peek.family in (socket.AF_INET, socket.AF_INET6)
            if not is_ip or peek.type != socket.SOCK_STREAM:
                return
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
