"""A leg's RTP packets on disk, as they crossed its transport: written by the phone's process, read for the capture.

One record a packet: a header of fixed size, and the packet; all of it as gzip (RFC 1952), since marks and voices repeat
themselves. A file that ends amid a record (its writer was killed) is read up to there.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from harness.phone import files

_RECORD: Final = struct.Struct("<d?BH16sH")  # at, received, length of the address, port, address, length of the packet

_TOGETHER: Final = 64
_BLOCK: Final = 4096  # octets unpacked at a time: what comes ahead of damage is read
_GZIP: Final = 16 + zlib.MAX_WBITS

Address = tuple[bytes, int]
"""A packed IP address (4 or 16 octets) and a port."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A packet; of SRTP as it was before it was encrypted, or decrypted."""

    at: float  #: monotonic seconds
    source: tuple[IPv4Address | IPv6Address, int] | None  #: where it came from; None for one that the leg sent
    octets: bytes


def path_of(directory: Path, leg: str) -> Path:
    """Where a leg's packets are kept."""
    return files.path(directory, leg, ".rtp.gz")


class RtpLog:
    """The writing side, for any thread; writes many packets at a time. Raises ``OSError`` when there can be no file."""

    def __init__(self, path: Path) -> None:
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._packer = zlib.compressobj(zlib.Z_BEST_SPEED, zlib.DEFLATED, _GZIP)
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()  # its number is another file's as soon as it is closed

    def received(self, at: float, source: Address, octets: bytes) -> None:
        """Note a packet that came."""
        self.all_received([(at, source, octets)])

    def all_received(self, packets: Iterable[tuple[float, Address, bytes]]) -> None:
        """Note packets that came."""
        pack = _RECORD.pack
        self._write(
            pack(at, True, len(address), port, address, len(octets)) + octets for at, (address, port), octets in packets
        )

    def sent(self, at: float, octets: bytes) -> None:
        """Note a packet that left."""
        self.all_sent([(at, octets)])

    def all_sent(self, packets: Iterable[tuple[float, bytes]]) -> None:
        """Note packets that left."""
        pack = _RECORD.pack
        self._write(pack(at, False, 0, 0, b"", len(octets)) + octets for at, octets in packets)

    def _write(self, records: Iterable[bytes]) -> None:
        with self._lock:
            self._waiting += records
            if len(self._waiting) >= _TOGETHER:
                self._flush(zlib.Z_SYNC_FLUSH)  # readable up to here, whatever becomes of this process

    def _flush(self, how: int) -> None:
        if self._file is None:
            return
        packed = memoryview(self._packer.compress(b"".join(self._waiting)) + self._packer.flush(how))
        self._waiting.clear()
        try:
            while packed:  # a nearly full disk takes a part and only then says so
                packed = packed[os.write(self._file, packed) :]
        except OSError:  # the disk is full: the log ends here, the call does not
            os.close(self._file)
            self._file = None

    def close(self) -> None:
        """Write what waits, and no more."""
        with self._lock:
            self._flush(zlib.Z_FINISH)
            if self._file is not None:
                os.close(self._file)
            self._file = None


def read(path: Path) -> Iterator[RtpPacket]:
    """The packets of a log, in the order they were written, up to where it is damaged; none when there is no such file."""
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        return
    raw, unpacker = bytearray(), zlib.decompressobj(_GZIP)
    with contextlib.suppress(zlib.error):
        for begin in range(0, len(packed), _BLOCK):
            raw += unpacker.decompress(packed[begin : begin + _BLOCK])
    at = 0
    while at + _RECORD.size <= len(raw):
        when, received, length, port, address, size = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        if at + size > len(raw) or (received and length not in (4, 16)):
            return
        source = (ip_address(address[:length]), port) if received else None
        yield RtpPacket(when, source, bytes(raw[at : at + size]))
        at += size
