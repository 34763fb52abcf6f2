"""Where sockets are bound; and the ports of a phone that is gone, freed although pjsip still holds their sockets.

pjsip keeps a transport until its last transaction has timed out (RFC 3261 timer J: 32 s), but the next case, perhaps in
another process, needs the port now. The descriptor cannot be closed behind pjsip's back (it would close it again, when
the number belongs to another file), so another, unbound socket is put in its place.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

#: By them a socket has every address of the machine.
WILDCARDS: Final = ("0.0.0.0", "::")


class SocketName(NamedTuple):
    """Where a socket is bound on this machine; what a phone's messages name may be a router's address and port."""

    host: str  #: without brackets
    port: int

    @classmethod
    def parse(cls, place: str) -> SocketName:
        """Of ``address:port`` or ``[address]:port``."""
        host, _, port = place.rpartition(":")
        return cls(host.strip("[]"), int(port))

    def has_host(self, host: str) -> bool:
        """Whether packets of a socket bound here may leave from, and come to, that address."""
        return self.host in (host, *WILDCARDS)

    def covers(self, other: SocketName) -> bool:
        """Whether what is at ``other`` may be of a socket bound here."""
        return self.port == other.port and self.has_host(other.host)


def among(descriptors: Iterable[str]) -> Iterator[int]:
    """Those of the entries of ``/proc/self/fd`` that are sockets."""
    for entry in descriptors:
        try:
            if os.readlink(f"/proc/self/fd/{entry}").startswith("socket:"):
                yield int(entry)
        except OSError:  # closed in the meantime, or the listing's own descriptor
            continue


def is_at(one: socket.socket, names: Iterable[SocketName]) -> bool:
    """Whether a socket is at one of the names. Raises ``OSError``."""
    if one.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    local = SocketName(*one.getsockname()[:2])
    return any(name.covers(local) for name in names)


def free(names: Collection[SocketName], kind: socket.SocketKind) -> int:
    """Close every socket of that kind at one of ``names`` in this process; says how many there were.

    TCP and UDP count their ports apart: another phone's RTP may have the number that was a connection's.
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
