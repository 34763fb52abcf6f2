"""A case's SIP messages and RTP packets as a pcapng file that Wireshark and tshark open.

The harness sees both at its phones' transports, not on the wire: IP, UDP and TCP headers are made
up around them, with the real addresses, ports and times. TCP is shown as one segment a message with
sequence numbers that add up; what crossed the wire inside TLS is shown as plain TCP. Each message's
comment says so, and names its number in the reports. RTP is what each leg received, and what it
sent unless another leg of the case received it from there.

The format is small enough (draft-ietf-opsawg-pcapng: three kinds of block) that no library is
needed to write it.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import Path

from harness.calls.events import MediaState
from harness.phone import rtp_log
from harness.report.evidence import CaseEvidence
from harness.report.flow import Arrow, FlowEnd, arrows
from harness.support.files import whole_file
from harness.support.mask import DOT

_RAW_IP = 101  # LINKTYPE_RAW: a packet begins with its IP header
_TCP, _UDP = 6, 17
_PSH_ACK = 0x18
_SEGMENT = 32_000  # an IPv4 packet holds 65,535 bytes; nothing here needs to look like Ethernet
_DATAGRAM = 65_507  # of UDP over IPv4 (RFC 768); a far end's record may claim more
_COMMENT, _END_OF_OPTIONS, _APPLICATION = 1, 0, 4


CAPTURE = "capture.pcapng"


def capture(evidence: CaseEvidence) -> Path:
    """The case's capture, made now if there is none."""
    path = evidence.directory / CAPTURE
    if not path.is_file():
        export(evidence, path)
    return path


def export(evidence: CaseEvidence, path: Path) -> int:
    """Write the case's messages and packets to ``path``; returns how many there are.

    What is not an IPv4 address becomes one of 192.0.2.0/24 (RFC 5737), and the comment says which:
    softphones use IPv4 only, but a far end's record may have names and IPv6.
    """
    blocks = list(_blocks(evidence))
    whole_file.write(path, b"".join(blocks))
    return len(blocks) - _HEADERS


_HEADERS = 2  # blocks before the first packet


def _blocks(evidence: CaseEvidence) -> Iterator[bytes]:
    header = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    yield _block(
        0x0A0D0D0A,
        header
        + _option(_APPLICATION, "call-verification-harness")
        + _option(_COMMENT, evidence.id),
    )
    yield _block(
        1, struct.pack("<HHI", _RAW_IP, 0, 0)
    )  # snap length 0: whole packets; times in microseconds
    names: dict[str, str] = {}
    packets = heapq.merge(
        _signalling(evidence, names), _media(evidence), key=lambda packet: packet[0]
    )
    for identification, (at, source, target, protocol, segment, comment) in enumerate(
        packets, start=1
    ):
        packet = _ip(
            _address(source, names), _address(target, names), protocol, segment, identification
        )
        yield _packet(int(evidence.wall(at) * 1_000_000), packet, comment)


_Packet = tuple[
    float, str, str, int, bytes, str
]  # monotonic time, source, target, protocol, segment, comment


def _signalling(evidence: CaseEvidence, names: dict[str, str]) -> Iterator[_Packet]:
    sent: dict[tuple[FlowEnd, FlowEnd], int] = {}
    for arrow in arrows(evidence):
        # characters that masking put there go out as ASCII, one byte for each digit that was there
        payload = _octets(arrow.text.replace(DOT, "x"))
        source, target = arrow.source.host, arrow.target.host
        for host in (source, target):
            _address(host, names)  # the comment names what has to stand for a name
        comment = _comment(evidence, arrow, names)
        if arrow.transport == "udp":
            datagram = _datagram(arrow.source.port, arrow.target.port, payload[:_DATAGRAM])
            yield arrow.at, source, target, _UDP, datagram, comment
            continue
        forth, back = (arrow.source, arrow.target), (arrow.target, arrow.source)
        for start in range(0, len(payload), _SEGMENT):
            part = payload[start : start + _SEGMENT]
            ports = struct.pack("!HH", arrow.source.port, arrow.target.port)
            numbers = struct.pack("!II", 1 + sent.get(forth, 0), 1 + sent.get(back, 0))
            segment = ports + numbers + struct.pack("!BBHHH", 5 << 4, _PSH_ACK, 65_535, 0, 0) + part
            sent[forth] = sent.get(forth, 0) + len(part)
            yield arrow.at, source, target, _TCP, segment, comment


def _octets(text: str) -> bytes:
    """As they crossed the wire; a far end's record may hold what never did."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _media(evidence: CaseEvidence) -> list[_Packet]:
    seen: list[tuple[float, FlowEnd, FlowEnd, bytes, str]] = []
    received: set[tuple[FlowEnd, bytes]] = set()
    for leg, seen_by in evidence.legs.items():
        states = [state for state in seen_by.of(MediaState) if state.local_rtp]
        places = [
            (state.at, FlowEnd.parse(state.local_rtp), FlowEnd.parse(state.remote_rtp))
            for state in states
        ]
        for packet in rtp_log.read(rtp_log.path_of(evidence.directory, leg)) if places else ():
            _, here, there = next(
                (place for place in reversed(places) if place[0] <= packet.at), places[0]
            )
            if packet.source is None:
                seen.append((packet.at, here, there, packet.octets, f"sent by {leg}"))
            else:
                there = FlowEnd(str(packet.source[0]), packet.source[1])
                received.add((here, packet.octets))
                seen.append((packet.at, there, here, packet.octets, f"received by {leg}"))
    return sorted(
        (at, source.host, target.host, _UDP, _datagram(source.port, target.port, octets), comment)
        for at, source, target, octets, comment in seen
        if comment.startswith("received") or (target, octets) not in received
    )


def _datagram(source: int, target: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def _comment(evidence: CaseEvidence, arrow: Arrow, names: dict[str, str]) -> str:
    words = [f"{arrow.numbers[0]} {arrow.label}", f"recorded by {arrow.phone}"]
    if arrow.transport == "tls":
        words.append("decrypted: it crossed the wire inside TLS")
    if arrow.far_end and not arrow.file:
        words.append("known from the far end's own record")
    words += [
        f"{host} shown as {names[host]}"
        for host in (arrow.source.host, arrow.target.host)
        if host in names
    ]
    return "; ".join(words)


def _address(host: str, names: dict[str, str]) -> bytes:
    try:
        return _parsed(host)
    except ValueError:
        return _parsed(names.setdefault(host, f"192.0.2.{len(names) % 254 + 1}"))


@lru_cache(maxsize=1024)
def _parsed(host: str) -> bytes:
    return IPv4Address(host).packed


def _ip(source: bytes, target: bytes, protocol: int, segment: bytes, identification: int) -> bytes:
    length = len(segment)
    pseudo = source + target + struct.pack("!BBH", 0, protocol, length)
    segment = _with_checksum(pseudo, segment, protocol)
    head = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + length, identification & 0xFFFF, 0x4000, 64, protocol, 0
    )
    head += source + target
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + segment


def _with_checksum(pseudo: bytes, segment: bytes, protocol: int) -> bytes:
    place = 16 if protocol == _TCP else 6
    value = _checksum(pseudo + segment)
    if protocol == _UDP and value == 0:
        value = 0xFFFF  # RFC 768: zero would mean that there is none
    return segment[:place] + struct.pack("!H", value) + segment[place + 2 :]


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\x00" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packet(time: int, packet: bytes, comment: str) -> bytes:
    head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(packet), len(packet))
    return _block(
        6,
        head
        + _padded(packet)
        + _option(_COMMENT, comment)
        + struct.pack("<HH", _END_OF_OPTIONS, 0),
    )


def _option(code: int, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")[:65_000]
    return struct.pack("<HH", code, len(raw)) + _padded(raw)


def _padded(raw: bytes) -> bytes:
    return raw + b"\x00" * (-len(raw) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
