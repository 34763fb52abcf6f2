"""Captures of two points of a tenant's network, as tcpdump would write them there: pcap, raw IP.

Media passes through memory between the world's own ports, and the platform's SIP through its
agents, so both are noted there and get headers. SIP over TLS is left out: a capture shows only its
ciphertext.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Final

from harness.world.media.rtp import Address, LocalNetwork
from harness.world.settings import Point
from harness.world.wire.transport import Traced

_RAW_IP: Final = 101  # LINKTYPE_RAW
_TCP, _UDP = 6, 17
_PSH_ACK: Final = 0x18


class Captures:
    """The captures of one tenant. ``places``: the addresses on the far side of each point."""

    def __init__(
        self, directory: Path, network: LocalNetwork, places: Mapping[Point, Collection[str]]
    ) -> None:
        self._directory = directory
        self._network = network
        self._places = places
        self._open: dict[str, _Capture] = {}  # by address

    def make(self, points: Collection[Point]) -> None:
        """Capture these points anew, and no others. Several addresses may be on the far side of one
        point, and write to its file.
        """
        self.close()
        for point in points:
            self._directory.mkdir(parents=True, exist_ok=True)
            capture = _Capture(self._directory / f"{point}.pcap")
            for address in self._places[point]:
                self._open[address] = capture
                self._network.taps[address] = capture.datagram

    def message(self, traced: Traced) -> None:
        """A SIP message that the platform has sent or received."""
        capture = self._open.get(traced.remote[0])
        if capture is None or traced.transport == "tls":
            return
        source, target = traced.local, traced.remote
        if traced.direction == "received":
            source, target = target, source
        if traced.transport == "udp":
            capture.datagram(source, target, traced.data)
        else:
            capture.segment(source, target, traced.data)

    def close(self) -> None:
        for address, capture in self._open.items():
            self._network.taps.pop(address, None)
            capture.close()
        self._open.clear()


class _Capture:
    """One file, complete after each packet: it may be read while the world runs.

    Addresses and ports are the real ones. Checksums are zero, and TCP has no handshake and no
    segments without data.
    """

    def __init__(self, path: Path) -> None:
        import dpkt  # few worlds write captures

        self._file: IO[bytes] = path.open("wb", buffering=0)
        self._writer = dpkt.pcap.Writer(self._file, snaplen=0xFFFF, linktype=_RAW_IP)
        self._sent: dict[tuple[Address, Address], int] = {}  # octets over TCP

    def datagram(self, source: Address, target: Address, data: bytes) -> None:
        """Write a UDP datagram (RFC 768), without a checksum."""
        header = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0)
        self._write(source, target, _UDP, header + data)

    def segment(self, source: Address, target: Address, data: bytes) -> None:
        """Write a TCP segment (RFC 9293 section 3.1) of a connection whose beginning was not captured."""
        sent = self._sent.get((source, target), 0)
        received = self._sent.get((target, source), 0)
        self._sent[source, target] = sent + len(data)
        header = struct.pack(
            "!HHIIBBHHH",
            source[1],
            target[1],
            (1 + sent) & 0xFFFFFFFF,
            (1 + received) & 0xFFFFFFFF,
            5 << 4,  # 20 octets of header
            _PSH_ACK,
            0xFFFF,
            0,
            0,
        )
        self._write(source, target, _TCP, header + data)

    def _write(self, source: Address, target: Address, protocol: int, inside: bytes) -> None:
        # RFC 791 section 3.1: version 4 with 20 octets of header, and a time to live of 64.
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inside), 0, 0, 64, protocol, 0)
        header += socket.inet_aton(source[0])
        header += socket.inet_aton(target[0])
        with contextlib.suppress(OSError):  # calls go on without a capture on a full disk
            self._writer.writepkt_time(header + inside, time.time())

    def close(self) -> None:
        self._file.close()
