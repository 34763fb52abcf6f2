"""Loopback addresses: each tenant holds a /24 of 127.0.0.0/8 exclusively.

A block is taken by binding its lock port, which the kernel gives to one process only and takes back
when that process dies, so two worlds never meet, however they end.
"""

from __future__ import annotations

import enum
import errno
import os
import socket
from typing import Final

from harness.errors import ResourceError

#: Bound on the last address of a block; below Synthflow's ports, so that nothing of a tenant can
#: want it.
LOCK_PORT: Final = 32680
_FIRST, _COUNT = 64 * 256, 64 * 256  # 127.64.0.0/24 … 127.127.255.0/24


class StartError(ResourceError):
    """The world cannot start; ``kind`` is a word for machines: ``busy-port``, ``no-loopback`` …"""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Block:
    """Addresses 127.x.y.1 … 127.x.y.253."""

    def __init__(self, prefix: str, lock: socket.socket) -> None:
        self._prefix = prefix
        self._lock = lock

    def __getitem__(self, host: int) -> str:
        if not 1 <= host <= 253:
            raise IndexError(f"no address {host} in {self}")
        return f"{self._prefix}.{host}"

    def __str__(self) -> str:
        return f"{self._prefix}.0/24"

    def release(self) -> None:
        """Release the block for other worlds."""
        self._lock.close()


def take_block() -> Block:
    """A free block. Raises :class:`StartError` when this machine has none, or no loopback aliases
    at all.
    """
    begin = os.getpid() * 97  # worlds started together look in different places first
    for step in range(_COUNT):
        number = _FIRST + (begin + step) % _COUNT
        prefix = f"127.{number // 256}.{number % 256}"
        lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lock.bind((f"{prefix}.254", LOCK_PORT))
        except OSError as error:
            lock.close()
            if error.errno == errno.EADDRINUSE:
                continue
            needs = "the world needs all of 127.0.0.0/8 on the loopback interface, as Linux has it"
            raise StartError(
                "no-loopback",
                f"{prefix}.254 cannot be bound ({error.strerror}); {needs} "
                "(elsewhere: add aliases to it)",
            ) from error
        return Block(prefix, lock)
    taken = "all blocks of loopback addresses are taken by other worlds; end some of them"
    raise StartError("no-loopback", taken)


class Host(enum.IntEnum):
    """Last octets by their holders. Trunks and phones take as many as they need, from the first on."""

    CARRIER = 1
    PLATFORM = 10
    PLATFORM_MEDIA = 11
    ANNOUNCEMENTS = 12
    FIRST_TRUNK = 20
    SYNTHFLOW = 60
    SYNTHFLOW_MEDIA = 61
    OTHER_REGION = 62
    STAND_IN = 80
    STRANGER = 81
    NOISE = 82
    FIRST_PHONE = 90
    NO_LISTENER = 99
