"""Captures for tests: packets in frames, made by the library that reads them."""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dpkt
import numpy as np
from numpy.typing import NDArray

from harness.audio.g711 import encode_alaw, encode_ulaw
from harness.audio.marks import played
from harness.audio.wav import to_int16

Address = tuple[str, int]
Timed = tuple[float, Any]
"""A time and an IP packet."""

A, B = ("192.0.2.1", 5060), ("192.0.2.2", 5062)
A6, B6 = ("2001:db8::1", 5060), ("2001:db8::2", 5062)
BEGAN = 1_790_000_000.0


def packed(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


def ip(source: Address, target: Address, protocol: int, inside: bytes, **more: int) -> Any:
    if ":" in source[0]:
        return dpkt.ip6.IP6(
            src=packed(source[0]),
            dst=packed(target[0]),
            nxt=protocol,
            plen=len(inside),
            data=inside,
        )
    return dpkt.ip.IP(src=packed(source[0]), dst=packed(target[0]), p=protocol, data=inside, **more)


def udp(source: Address, target: Address, octets: bytes, **more: int) -> Any:
    datagram = dpkt.udp.UDP(sport=source[1], dport=target[1], ulen=8 + len(octets), data=octets)
    return ip(source, target, 17, bytes(datagram), **more)


def tcp(
    source: Address, target: Address, sequence: int, octets: bytes, flags: int = dpkt.tcp.TH_ACK
) -> Any:
    segment = dpkt.tcp.TCP(
        sport=source[1], dport=target[1], seq=sequence & 0xFFFFFFFF, flags=flags, data=octets
    )
    return ip(source, target, 6, bytes(segment))


def fragments(packet: Any, size: int) -> list[Any]:
    """An IP packet in fragments of ``size`` octets, a multiple of eight."""
    if isinstance(packet, dpkt.ip6.IP6):
        protocol, inside = packet.nxt, bytes(packet.data)
    else:
        protocol, inside = packet.p, bytes(packet.data)
    made = []
    for begin in range(0, len(inside), size):
        part, more = inside[begin : begin + size], begin + size < len(inside)
        if isinstance(packet, dpkt.ip6.IP6):
            head = struct.pack("!BBHI", protocol, 0, begin | more, 77)
            made.append(
                dpkt.ip6.IP6(
                    src=packet.src, dst=packet.dst, nxt=44, plen=8 + len(part), data=head + part
                )
            )
        else:
            flags = (0x2000 if more else 0) | begin // 8
            made.append(
                dpkt.ip.IP(
                    src=packet.src,
                    dst=packet.dst,
                    p=protocol,
                    id=77,
                    _flags_offset=flags,
                    data=part,
                )
            )
    return made


def frame(link: str, packet: Any) -> bytes:
    """An IP packet as the link layer, or a tunnel, carries it."""
    raw = bytes(packet)
    kind = struct.pack("!H", 0x86DD if raw[0] >> 4 == 6 else 0x0800)
    if link in _TUNNELS:
        inner = bytes(12) + kind + raw
        return frame("ethernet", _TUNNELS[link](kind, raw, inner))
    if link.startswith("pppoe"):
        protocol = b"\x00\x57" if raw[0] >> 4 == 6 else b"\x00\x21"
        session = struct.pack("!BBHH", 0x11, 0, 7, 2 + len(raw)) + protocol + raw
        return session if link == "pppoe" else bytes(12) + b"\x88\x64" + session
    if link == "raw":
        return raw
    if link.startswith("sll2"):
        head = struct.pack("!HIHBB8s", 0, 1, 1, 0, 6, bytes(8))
        return _VLAN[:2] + head + _VLAN[2:] + kind + raw if "vlan" in link else kind + head + raw
    if link.startswith("sll"):
        tag = _VLAN if "vlan" in link else b""
        return struct.pack("!HHH8s", 0, 1, 6, bytes(8)) + tag + kind + raw
    tags = {"ethernet": b"", "vlan": _VLAN, "qinq": b"\x88\xa8\x00\x0a" + _VLAN}[link]
    return bytes(12) + tags + kind + raw


_VLAN = b"\x81\x00\x00\x64"
_OUTER = ("198.51.100.1", 4790), ("198.51.100.2", 4789)


def _gre(head: str, inside: bytes) -> Any:
    return ip(*_OUTER, 47, bytes.fromhex(head) + inside)


#: How a tunnel carries a packet: of its EtherType, its octets, and its Ethernet frame.
_TUNNELS: dict[str, Callable[[bytes, bytes, bytes], Any]] = {
    "ip in ip": lambda kind, raw, frame: ip(*_OUTER, 41 if raw[0] >> 4 == 6 else 4, raw),
    "gre": lambda kind, raw, frame: _gre("2000" + kind.hex() + "00000007", raw),
    "gretap": lambda kind, raw, frame: _gre("00006558", frame),
    "erspan 1": lambda kind, raw, frame: _gre("000088be", frame),
    "erspan 2": lambda kind, raw, frame: _gre("100088be00000001" + "1064000700000000", frame),
    "erspan 3": lambda kind, raw, frame: _gre("100022eb00000001" + "20640007" + "00" * 8, frame),
    "erspan 3 with a subheader": lambda kind, raw, frame: _gre(
        "100022eb00000001" + "206400070000000000000001" + "00" * 8, frame
    ),
    "vxlan": lambda kind, raw, frame: udp(*_OUTER, bytes.fromhex("0800000000000700") + frame),
}
LINKS = {
    **{"raw": 101, "sll": 113, "sll2": 276, "ethernet": 1, "vlan": 1, "qinq": 1},
    **{"sll vlan": 113, "sll2 vlan": 276, "pppoe": 51, "pppoe ethernet": 1},
    **dict.fromkeys(_TUNNELS, 1),
}


def pcap(packets: Iterable[Timed], link: str = "ethernet", snap: int = 262144) -> bytes:
    """``snap``: so many octets of each packet are kept."""
    file = io.BytesIO()
    dpkt.pcap.Writer(file, linktype=LINKS[link], snaplen=snap)
    for at, packet in packets:
        octets = frame(link, packet)
        seconds, micros = divmod(round(at * 1e6), 1_000_000)
        file.write(struct.pack("=IIII", seconds, micros, min(len(octets), snap), len(octets)))
        file.write(octets[:snap])
    return file.getvalue()


def pcapng(packets: Iterable[Timed], links: Sequence[str] = ("ethernet",)) -> bytes:
    """With an interface for each link; packets go to them in turn."""
    file = io.BytesIO()
    interfaces = [
        dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=LINKS[link], snaplen=262144)
        for link in links
    ]
    dpkt.pcapng.Writer(file, idb=interfaces)
    for number, (at, packet) in enumerate(packets):
        ticks, octets = round(at * 1e6), frame(links[number % len(links)], packet)
        block = dpkt.pcapng.EnhancedPacketBlockLE(
            iface_id=number % len(links),
            ts_high=ticks >> 32,
            ts_low=ticks & 0xFFFFFFFF,
            pkt_data=octets,
        )
        file.write(bytes(block))
    return file.getvalue()


def hep(source: Address, target: Address, octets: bytes, at: float, kind: int = 15) -> bytes:
    """A datagram as Homer's agents mirror it (HEP3), its payload as a chunk of this kind."""
    family = 10 if ":" in source[0] else 2
    first = 5 if family == 10 else 3
    seconds, micros = divmod(round(at * 1e6), 1_000_000)
    chunks = [
        (1, struct.pack("!B", family)),
        (2, struct.pack("!B", 17)),
        (first, packed(source[0])),
        (first + 1, packed(target[0])),
        (7, struct.pack("!H", source[1])),
        (8, struct.pack("!H", target[1])),
        (9, struct.pack("!I", seconds)),
        (10, struct.pack("!I", micros)),
        (11, struct.pack("!B", 1)),
        (kind, octets),
    ]
    body = b"".join(struct.pack("!HHH", 0, kind, 6 + len(data)) + data for kind, data in chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def rtp(
    sequence: int, timestamp: int, payload: bytes, payload_type: int = 0, ssrc: int = 0x1234
) -> bytes:
    return (
        struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        + payload
    )


def speaking(
    source: Address,
    target: Address,
    samples: NDArray[np.int16],
    begin: float = BEGAN,
    payload_type: int = 0,
    sequence: int = 65_500,
    ssrc: int = 0x1234,
) -> list[Timed]:
    """A sound in packets of 20 ms."""
    encode = encode_ulaw if payload_type == 0 else encode_alaw
    return [
        (
            begin + number * 0.02,
            udp(
                source,
                target,
                rtp(
                    sequence + number,
                    0xFFFFFF00 + at,
                    encode(samples[at : at + 160]),
                    payload_type,
                    ssrc,
                ),
            ),
        )
        for number, at in enumerate(range(0, len(samples), 160))
    ]


def sdp(place: Address, formats: str = "0 8 101", protocol: str = "RTP/AVP", *lines: str) -> bytes:
    kind = "IP6" if ":" in place[0] else "IP4"
    text = ("v=0", f"o=- 1 1 IN {kind} {place[0]}", "s=-", f"c=IN {kind} {place[0]}", "t=0 0")  # fmt: skip
    media = (
        f"m=audio {place[1]} {protocol} {formats}",
        "a=rtpmap:101 telephone-event/8000",
        *lines,
    )
    return "".join(f"{line}\r\n" for line in (*text, *media)).encode()


def invite(
    body: bytes = b"", call_id: str = "a1@192.0.2.1", dialled: str = "+12065550100", *more: str
) -> bytes:
    return _message(f"INVITE sip:{dialled}@192.0.2.2 SIP/2.0", body, call_id, "INVITE", *more)


def ok(body: bytes = b"", call_id: str = "a1@192.0.2.1") -> bytes:
    return _message("SIP/2.0 200 OK", body, call_id, "INVITE")


def bye(call_id: str) -> bytes:
    return _message("BYE sip:a@192.0.2.2 SIP/2.0", b"", call_id, "BYE")


def _message(start: str, body: bytes, call_id: str, method: str, *more: str) -> bytes:
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        "From: <sip:+14155550101@192.0.2.1>;tag=1",
        f"To: <sip:+12065550100@192.0.2.2>{';tag=2' if start.startswith('SIP') else ''}",
        f"Call-ID: {call_id}",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        *more,
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def marked(mark: int) -> NDArray[np.int16]:
    return np.tile(to_int16(played(mark)), round(6.0 / 0.16))


def hop(
    call_id: str,
    *,
    to_callee: int | None = 7,
    to_caller: int | None = 9,
    at: float = BEGAN,
    header: str = "",
    dialled: str = "+12065550100",
    ports: int = 4000,
    is_told: bool = True,
) -> list[Timed]:
    """A call of nine seconds at one point of the network; in a direction without a mark there is no
    RTP.
    """
    caller, callee = ("192.0.2.1", ports), ("192.0.2.2", ports + 2)
    packets: list[Timed] = []
    if is_told:
        offer = invite(sdp(caller), call_id, dialled, *([header] if header else []))
        packets += [(at, udp(A, B, offer)), (at + 0.9, udp(B, A, ok(sdp(callee), call_id)))]
    if to_callee is not None:
        packets += speaking(caller, callee, marked(to_callee), at + 1.02, ssrc=1)
    if to_caller is not None:
        packets += speaking(callee, caller, marked(to_caller), at + 1.02, ssrc=2)
    return [*packets, (at + 9, udp(A, B, bye(call_id)))] if is_told else packets
