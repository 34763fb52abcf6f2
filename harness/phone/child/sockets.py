"""Socket names, and freeing the ports of a removed phone although pjsip still holds their sockets.

pjsip keeps a transport until its last transaction times out (RFC 3261 timer J: 32 s), but the next case, perhaps in another process,
needs the port now. The descriptor cannot simply be closed, because pjsip would close it again when it belongs to another file. So
it is replaced by an unbound socket.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

#: A socket bound to one of these has every address of the machine.
WILDCARDS: Final = ("0.0.0.0", "::")


class SocketName(NamedTuple):
    """The address and port of a socket on this machine; a phone's messages may name a router's instead."""

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
    """Close every socket of this kind in this process that has one of ``names``; returns their number.

    The kind matters because TCP and UDP have separate ports: another phone's RTP may use a closed connection's port number.
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
