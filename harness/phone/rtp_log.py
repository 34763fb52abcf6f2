"""The log of a leg's RTP packets on disk: written by the phone's process, read for the capture
file.

The file is a gzip stream (RFC 1952; marks compress well) of runs. A run has a head and the records
of consecutive packets in one direction, as ``crossing.c`` stores them. A file that ends within a
record, because its writer was killed, is read up to that point.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from isal import isal_zlib

from harness.phone import recording
from harness.support.files import user_files

#: Monotonic nanoseconds, length of the packet, which is padded to eight octets.
_RECORD: Final = struct.Struct("=qq")
#: Received, length of the address, port, address, octets of the records.
_RUN: Final = struct.Struct("=BBH16sI")
_HEADS: Final = ((0, 0), (1, 4), (1, 16))
_NANOSECONDS: Final = 1_000_000_000

_TOGETHER: Final = 12 * 1024  # octets; some 60 packets of G.711
_BLOCK: Final = 4096  # octets unpacked at a time, so that packets before damage are read
_GZIP: Final = 16 + zlib.MAX_WBITS

Address = tuple[bytes, int]
"""A packed IP address (4 or 16 octets) and a port."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """An RTP packet. SRTP packets are unencrypted when sent, and encrypted when received."""

    at: float  #: monotonic seconds
    #: The sender; None for a packet that the leg sent.
    source: tuple[IPv4Address | IPv6Address, int] | None
    octets: bytes


def path_of(directory: Path, leg: str) -> Path:
    return recording.path_of(directory, leg, ".rtp.gz")


def record(at: float, octets: bytes) -> bytes:
    """A packet as a record of the log."""
    return _RECORD.pack(round(at * _NANOSECONDS), len(octets)) + octets + bytes(-len(octets) % 8)


def packets(records: bytes) -> Iterator[tuple[float, bytes]]:
    """The time (monotonic seconds) and octets of each packet, up to a truncated one."""
    at, end = 0, len(records)
    while at + _RECORD.size <= end:
        nanoseconds, size = _RECORD.unpack_from(records, at)
        at += _RECORD.size
        if size < 0 or at + size > end:
            return
        yield nanoseconds / _NANOSECONDS, records[at : at + size]
        at += (size + 7) & ~7


class RtpLog:
    """Writes the log, many packets at a time. Thread-safe. Raises ``OSError`` when the file cannot
    be created.
    """

    def __init__(self, path: Path) -> None:
        self._file: int | None = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self._packer = isal_zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        self._waiting = bytearray()
        self._lock = threading.Lock()  # a closed file's descriptor may be reused for another file

    def received(self, source: Address, records: bytes) -> None:
        """Log received packets, as records (:func:`record`)."""
        address, port = source
        self._write(True, address, port, records)

    def sent(self, records: bytes) -> None:
        """Log sent packets, as records."""
        self._write(False, b"", 0, records)

    def _write(self, received: bool, address: bytes, port: int, records: bytes) -> None:
        if not records:
            return
        with self._lock:
            self._waiting += _RUN.pack(received, len(address), port, address, len(records))
            self._waiting += records
            if len(self._waiting) >= _TOGETHER:
                self._flush(zlib.Z_SYNC_FLUSH)  # readable up to here, even if this process dies

    def _flush(self, how: int) -> None:
        """Write what waits. A file that cannot be written to ends, and stays readable so far."""
        if self._file is None:
            return
        packed = memoryview(self._packer.compress(self._waiting) + self._packer.flush(how))
        self._waiting.clear()
        try:
            while packed:  # a nearly full disk takes a part before it reports an error
                packed = packed[os.write(self._file, packed) :]
        except OSError:  # the disk is full: end the log, but not the call
            os.close(self._file)
            self._file = None

    def close(self) -> None:
        """Write buffered packets and close the file."""
        with self._lock:
            self._flush(zlib.Z_FINISH)
            if self._file is not None:
                os.close(self._file)
            self._file = None


def read(path: Path) -> Iterator[RtpPacket]:
    """The packets of a log in the order written, up to any damage; none when the file does not
    exist.
    """
    try:
        packed = user_files.read(path, user_files.EVIDENCE)
    except FileNotFoundError:
        return
    raw = bytearray()
    unpacker = zlib.decompressobj(_GZIP)
    with contextlib.suppress(zlib.error):  # what was unpacked before the damage counts
        for begin in range(0, len(packed), _BLOCK):
            raw += unpacker.decompress(packed[begin : begin + _BLOCK])
    at = 0
    while at + _RUN.size <= len(raw):
        received, length, port, address, size = _RUN.unpack_from(raw, at)
        at += _RUN.size
        if (received, length) not in _HEADS:  # damaged
            return
        source = (ip_address(address[:length]), port) if received else None
        for when, octets in packets(bytes(raw[at : at + size])):
            yield RtpPacket(when, source, octets)
        at += size
