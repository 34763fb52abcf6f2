"""A case's SIP messages and RTP packets as a pcapng file that Wireshark and tshark open.

The harness sees both at its phones' transports, not on the wire: IP, UDP and TCP headers are made
up around them, with the real addresses, ports and times. TCP is shown as one segment a message with
sequence numbers that add up; what crossed the wire inside TLS is shown as plain TCP. Each message's
comment says so, and names its number in the reports. RTP is what each leg received, and what it
sent unless another leg of the case received it from there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from harness.case.events import MediaState
from harness.phone import rtp_log
from harness.report.evidence import CaseEvidence
from harness.report.flow import Arrow, FlowEnd, arrows
from harness.support.files import whole_file
from harness.support.mask import DOT

if TYPE_CHECKING:
    import dpkt  # elsewhere where it is used: that takes 0.1 s, and few cases need a capture

_RAW_IP = 101  # LINKTYPE_RAW: a packet begins with its IP header
_SEGMENT = 32_000  # an IPv4 packet holds 65,535 bytes; nothing here needs to look like Ethernet
_DATAGRAM = 65_507  # of UDP over IPv4 (RFC 768); a far end's record may claim more


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
    blocks = [bytes(block) for block in _blocks(evidence)]
    whole_file.write(path, b"".join(blocks))
    return len(blocks) - _HEADERS


_HEADERS = 2  # blocks before the first packet


def _blocks(evidence: CaseEvidence) -> Iterator[dpkt.Packet]:
    import dpkt

    application = dpkt.pcapng.PcapngOptionLE(code=4, data=b"call-verification-harness")
    yield dpkt.pcapng.SectionHeaderBlockLE(opts=[application, *_comments(evidence.id)])
    # snap length 0: whole packets; times in microseconds
    yield dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=_RAW_IP, snaplen=0)
    names: dict[str, str] = {}
    packets = heapq.merge(
        _signalling(evidence, names), _media(evidence), key=lambda packet: packet[0]
    )
    for identification, (at, source, target, segment, comment) in enumerate(packets, start=1):
        packet = dpkt.ip.IP(
            src=_address(source, names),
            dst=_address(target, names),
            id=identification & 0xFFFF,
            df=1,
            p=17 if isinstance(segment, dpkt.udp.UDP) else 6,
            data=segment,
        )
        time = int(evidence.wall(at) * 1_000_000)
        yield dpkt.pcapng.EnhancedPacketBlockLE(
            ts_high=time >> 32,
            ts_low=time & 0xFFFFFFFF,
            pkt_data=bytes(packet),
            opts=_comments(comment),
        )


def _comments(text: str) -> list[dpkt.Packet]:
    import dpkt

    comment = text.encode("utf-8", "replace")[:65_000]
    return [
        dpkt.pcapng.PcapngOptionLE(code=dpkt.pcapng.PCAPNG_OPT_COMMENT, text=comment),
        dpkt.pcapng.PcapngOptionLE(),
    ]


#: Monotonic time, source, target, segment, comment.
_Packet: TypeAlias = "tuple[float, str, str, dpkt.Packet, str]"


def _signalling(evidence: CaseEvidence, names: dict[str, str]) -> Iterator[_Packet]:
    import dpkt

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
            yield arrow.at, source, target, datagram, comment
            continue
        forth, back = (arrow.source, arrow.target), (arrow.target, arrow.source)
        for start in range(0, len(payload), _SEGMENT):
            part = payload[start : start + _SEGMENT]
            segment = dpkt.tcp.TCP(
                sport=arrow.source.port,
                dport=arrow.target.port,
                seq=1 + sent.get(forth, 0),
                ack=1 + sent.get(back, 0),
                flags=dpkt.tcp.TH_PUSH | dpkt.tcp.TH_ACK,
                win=65_535,
                data=part,
            )
            sent[forth] = sent.get(forth, 0) + len(part)
            yield arrow.at, source, target, segment, comment


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
    return [
        (at, source.host, target.host, _datagram(source.port, target.port, octets), comment)
        for at, source, target, octets, comment in sorted(seen)
        if comment.startswith("received") or (target, octets) not in received
    ]


def _datagram(source: int, target: int, payload: bytes) -> dpkt.Packet:
    import dpkt

    return dpkt.udp.UDP(sport=source, dport=target, ulen=8 + len(payload), data=payload)


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
