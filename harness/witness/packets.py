"""What crossed the wire, read from a capture file: UDP datagrams and the bytes of TCP connections,
in the order of the capture.

dpkt reads the containers (pcap, pcapng) and the headers of the packets. This module adds what dpkt
leaves out: several interfaces in one pcapng file, fragments (RFC 791 section 3.2, RFC 8200 section
4.5), the order of TCP segments (RFC 9293 section 3.10), and what mirrors packets: ERSPAN
(draft-foschiano-erspan), VXLAN (RFC 7348) and HEP (https://github.com/sipcapture/HEP).
"""

from __future__ import annotations

import gzip
import socket
import struct
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any, Final, Literal

import dpkt

from harness.witness.file_kind import Unpacked, unpacked

Address = tuple[str, int]
"""An IP address and a port."""
Way = tuple[Address, Address]
"""From where to where."""
Transport = Literal["udp", "tcp"]


def as_text(address: Address) -> str:
    """``host:port``, or ``[host]:port`` for IPv6."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Payload:
    """One UDP datagram, or the next bytes of one direction of a TCP connection."""

    at: float  #: seconds since the epoch, by the clock of the machine that captured
    source: Address
    target: Address
    transport: Transport
    octets: bytes
    follows: bool = True  #: False where bytes are missing before these, or a TCP connection begins
    is_cut: bool = False  #: the capture does not have the datagram's end


@dataclass
class Notes:
    """What could not be read: each sentence with the number of times."""

    _times: Counter[str] = field(default_factory=Counter)

    def add(self, sentence: str) -> None:
        """Count one more of these. A file of random bytes must not fill the memory with sentences."""
        if sentence in self._times or len(self._times) < _MOST_NOTES:
            self._times[sentence] += 1

    def lines(self) -> tuple[str, ...]:
        """Each sentence once, with its number of times if it came more than once."""
        lines = []
        for sentence, times in self._times.items():
            lines.append(f"{sentence} ({times} times)" if times > 1 else sentence)
        return tuple(lines)


_MOST_NOTES: Final = 200
MOST_UNPACKED: Final = 512 << 20  #: octets of a compressed capture

_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED, _OBSOLETE = 0x0A0D0D0A, 1, 3, 6, 2
_RESOLUTION, _OFFSET = 9, 14  # options of an interface: draft-ietf-opsawg-pcapng section 4.2
#: Type and length of a block, and its first word: the byte order, in the block of a section.
_BLOCK_HEAD: Final = 12
_LITTLE_ENDIAN: Final = b"\x4d\x3c\x2b\x1a"
_MOST_BLOCK: Final = 16 << 20
_UDP_HEADER: Final = 8


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    ticks: float = 1e6
    offset: int = 0


def payloads(file: BufferedReader, notes: Notes) -> Iterator[Payload]:
    """All datagrams and TCP bytes of a capture. Raises ``ValueError`` for a file that is no
    capture.
    """
    fragments, connections = _Fragments(), _Connections(notes)
    for at, link, frame in _frames(unpacked(file), notes):
        if link not in _LINKS:
            notes.add(
                f"packets of link type {link} were left out; capture Ethernet, Linux cooked or raw IP"
            )
            continue
        try:
            opened = _opened(_LINKS[link](frame) if frame else None, fragments, notes)
            if opened is None:
                continue
            packet, found = opened
            octets = bytes(found.data)
            is_tcp = isinstance(found, dpkt.tcp.TCP)
            is_mirrored = not is_tcp and octets.startswith(_HEP)
            mirrored = _mirrored(octets) if is_mirrored else None
        except _UNREADABLE as error:
            notes.add(f"packets with a damaged header were left out ({type(error).__name__})")
            continue
        ends = (_host(packet.src), found.sport), (_host(packet.dst), found.dport)
        if is_tcp:
            yield from connections.take(at, *ends, found)
        elif mirrored is not None:
            yield mirrored
        elif is_mirrored:
            notes.add("HEP packets without a plain payload were left out")
        else:
            is_cut = len(octets) < found.ulen - _UDP_HEADER
            yield Payload(at, *ends, "udp", octets, is_cut=is_cut)
    yield from connections.rest()


#: dpkt's own errors, and those its parsers let out. IP in IP in IP … exhausts the stack.
_UNREADABLE: Final = (
    dpkt.Error,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    struct.error,
    RecursionError,
)

# --- containers ------------------------------------------------------------------------------------


def _frames(file: Unpacked, notes: Notes) -> Iterator[tuple[float, int, bytes]]:
    """Time, link type and octets of each frame."""
    try:
        frames = _pcapng_frames if file.peek(4)[:4] == _PCAPNG else _pcap_frames
        for frame in frames(file, notes):
            if isinstance(file, gzip.GzipFile) and file.tell() > MOST_UNPACKED:
                raise ValueError(f"unpacked it is larger than {MOST_UNPACKED >> 20} MiB")
            yield frame
    except (EOFError, zlib.error, gzip.BadGzipFile):
        notes.add("the compressed file is damaged, or ends early; it was read to there")


def _pcap_frames(file: Unpacked, notes: Notes) -> Iterator[tuple[float, int, bytes]]:
    try:
        reader = dpkt.pcap.Reader(file)
    except dpkt.Error as error:
        raise ValueError("it is too short") from error
    link = reader.datalink() & 0xFFFF  # the upper bits say whether frames end with a checksum
    try:
        for at, frame in reader:
            yield float(at), link, frame
    except dpkt.NeedData:
        notes.add("the file ends within a packet")


def _pcapng_frames(file: Unpacked, notes: Notes) -> Iterator[tuple[float, int, bytes]]:
    order, interfaces = "<", list[_Interface]()
    while len(head := file.read(_BLOCK_HEAD)) == _BLOCK_HEAD:
        if head[:4] == _PCAPNG:
            order = "<" if head[8:12] == _LITTLE_ENDIAN else ">"
            interfaces = []
        kind, length = struct.unpack(order + "II", head[:8])
        is_whole = _BLOCK_HEAD <= length <= _MOST_BLOCK
        if is_whole:
            block = head + file.read(length - _BLOCK_HEAD)
            is_whole = len(block) == length
        if not is_whole:
            notes.add("the file ends within a block, or is damaged from there on")
            return
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(block, order))
            elif kind in (_ENHANCED, _OBSOLETE):
                yield _enhanced(block, order, kind, interfaces)
            elif kind == _SIMPLE:
                notes.add("packets without a time (simple packet blocks) were left out")
        except _UNREADABLE as error:
            notes.add(f"blocks that cannot be read were left out ({type(error).__name__})")


def _interface(block: bytes, order: str) -> _Interface:
    kind = dpkt.pcapng.InterfaceDescriptionBlock
    if order == "<":
        kind = dpkt.pcapng.InterfaceDescriptionBlockLE
    description = kind(block)
    ticks, offset = 1e6, 0
    for option in description.opts:
        if option.code == _RESOLUTION and option.data:
            exponent = option.data[0]
            ticks = 2.0 ** (exponent & 0x7F) if exponent & 0x80 else 10.0**exponent
        elif option.code == _OFFSET and len(option.data) == 8:
            (offset,) = struct.unpack(order + "q", option.data)
    return _Interface(description.linktype, ticks, offset)


def _enhanced(
    block: bytes, order: str, kind: int, interfaces: list[_Interface]
) -> tuple[float, int, bytes]:
    # Not dpkt's class: it refuses a packet whose comment is not UTF-8, and each option costs an
    # object.
    form = "IIII" if kind == _ENHANCED else "HxxIII"
    number, high, low, captured = struct.unpack_from(order + form, block, 8)
    interface = interfaces[number]
    at = ((high << 32) | low) / interface.ticks + interface.offset
    return at, interface.link, block[28 : min(28 + captured, len(block) - 4)]


# --- headers ---------------------------------------------------------------------------------------


def _raw(frame: bytes) -> Any:
    return dpkt.ip6.IP6(frame) if frame[0] >> 4 == 6 else dpkt.ip.IP(frame)


def _of_ethertype(octets: bytes) -> Any:
    """The packet behind an EtherType, and behind VLAN tags and MPLS labels between them."""
    return dpkt.ethernet.Ethernet(bytes(12) + octets)


#: The outermost packet of a frame, by link type (https://www.tcpdump.org/linktypes.html).
_LINKS: Final[dict[int, Callable[[bytes], Any]]] = {
    0: lambda frame: _raw(frame[4:]),  # loopback of BSD and macOS: an address family in front
    1: dpkt.ethernet.Ethernet,
    9: dpkt.ppp.PPP,
    12: _raw,
    14: _raw,  # on OpenBSD
    51: dpkt.pppoe.PPPoE,
    101: _raw,
    108: lambda frame: _raw(frame[4:]),  # loopback of OpenBSD
    # Linux cooked; not dpkt's class, which reads no VLAN tag
    113: lambda frame: _of_ethertype(frame[14:]),
    228: _raw,  # IPv4
    229: _raw,  # IPv6
    276: lambda frame: _of_ethertype(frame[:2] + frame[20:]),  # Linux cooked, version 2
}
_MOST_LAYERS: Final = 24
#: Packets that every network has, and that carry no call: an ICMP error only quotes one.
_WITHOUT_CALLS: Final = (dpkt.arp.ARP, dpkt.icmp.ICMP, dpkt.icmp6.ICMP6, dpkt.igmp.IGMP)
_ETHERTYPES_WITHOUT_CALLS: Final = (0x8863, 0x88CC, 0x888E)  # PPPoE discovery, LLDP, EAPOL


def _opened(packet: Any, fragments: _Fragments, notes: Notes) -> tuple[Any, Any] | None:
    """The innermost IP packet, and the UDP or TCP packet in it, out of all tunnels. None for other
    packets, and until all fragments are there.
    """
    outer, what = None, ""
    for _ in range(_MOST_LAYERS):
        if isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)):
            outer, what = packet, f"IP protocol {packet.p}"
            packet = _whole(packet, fragments, notes)
        elif isinstance(packet, dpkt.tcp.TCP):
            return outer, packet
        elif isinstance(packet, dpkt.udp.UDP):
            if packet.dport not in _VXLAN_PORTS or packet.data[:1] != b"\x08":
                return outer, packet
            packet = dpkt.ethernet.Ethernet(packet.data[8:])
        elif isinstance(packet, dpkt.ethernet.Ethernet):
            kind = packet._next_type or packet.type  # behind VLAN tags, the last one's
            packet = packet.data
            is_known = kind in _ETHERTYPES_WITHOUT_CALLS or isinstance(packet, dpkt.llc.LLC)
            what = "" if is_known else f"EtherType 0x{kind:04x}"
        elif isinstance(packet, dpkt.gre.GRE):
            what, packet = f"GRE protocol 0x{packet.p:04x}", _in_gre(packet)
        elif isinstance(packet, (dpkt.pppoe.PPPoE, dpkt.ppp.PPP, dpkt.llc.LLC, dpkt.ah.AH)):
            what, packet = "", packet.data  # what is no packet of IP sets the link up
        else:
            break
    if what and packet is not None and not isinstance(packet, _WITHOUT_CALLS):
        name = f" ({type(packet).__name__})" if isinstance(packet, dpkt.Packet) else ""
        notes.add(f"packets of {what}{name} were left out")
    return None


_VXLAN_PORTS: Final = (4789, 8472)  # IANA's, and Linux's before it
_ERSPAN_2, _ERSPAN_3 = 0x88BE, 0x22EB


def _in_gre(packet: Any) -> Any:
    """What GRE carries. ERSPAN's first version has no header of its own, and no sequence number."""
    octets = packet.data
    if packet.p == _ERSPAN_2:
        has_header = packet.flags & dpkt.gre.GRE_SP
        return dpkt.ethernet.Ethernet(octets[8 if has_header else 0 :])
    if packet.p == _ERSPAN_3:
        has_subheader = octets[11] & 1
        return dpkt.ethernet.Ethernet(octets[20 if has_subheader else 12 :])
    return octets


_HEP: Final = b"HEP3"
_HEP_HEADER: Final = 6  # octets, of the packet and of each chunk
#: Types of HEP's chunks: the ends in IPv4 or IPv6, their ports, the time, and the datagram.
_SOURCE_4, _TARGET_4, _SOURCE_6, _TARGET_6, _SOURCE_PORT, _TARGET_PORT = range(3, 9)
_SECONDS, _MICROSECONDS, _DATAGRAM = 9, 10, 15


def _mirrored(octets: bytes) -> Payload | None:
    """The datagram that an agent of Homer mirrors; None if it is compressed or encrypted."""
    chunks, begin = dict[int, bytes](), _HEP_HEADER
    while begin + _HEP_HEADER <= len(octets):
        vendor, kind, length = struct.unpack_from("!HHH", octets, begin)
        if vendor == 0:
            chunks[kind] = octets[begin + _HEP_HEADER : begin + length]
        begin += max(length, _HEP_HEADER)
    if _DATAGRAM not in chunks:
        return None
    if _SOURCE_4 in chunks:
        source, target = chunks[_SOURCE_4], chunks[_TARGET_4]
    else:
        source, target = chunks[_SOURCE_6], chunks[_TARGET_6]
    (source_port,) = struct.unpack("!H", chunks[_SOURCE_PORT])
    (target_port,) = struct.unpack("!H", chunks[_TARGET_PORT])
    (seconds,) = struct.unpack("!I", chunks[_SECONDS])
    (microseconds,) = struct.unpack("!I", chunks[_MICROSECONDS])
    return Payload(
        at=seconds + microseconds / 1e6,
        source=(_host(source), source_port),
        target=(_host(target), target_port),
        transport="udp",
        octets=chunks[_DATAGRAM],
    )


def _whole(packet: Any, fragments: _Fragments, notes: Notes) -> Any:
    """What an IP packet carries; None until all its fragments are there."""
    inside, part = packet.data, None
    if isinstance(packet, dpkt.ip.IP):
        protocol, announced = packet.p, packet.len
        if packet.mf or packet.offset:
            part = packet.id, packet.offset, bool(packet.mf)
    else:
        protocol, announced = getattr(packet, "p", None), packet.plen and 40 + packet.plen
        header = packet.extension_hdrs.get(dpkt.ip.IP_PROTO_FRAGMENT)
        if header is not None:
            part = header.id, header.frag_off, bool(header.m_flag)
    if announced > len(packet):
        notes.add(
            "packets were cut short: by the capture's snap length (tcpdump -s 0 sets none), or where the file ends"
        )
    if part is None:
        return inside
    number, offset, more = part
    key = (packet.src, packet.dst, protocol, number)
    whole = fragments.take(key, 8 * offset, more, bytes(inside))
    if whole is None:
        return None
    parse = dpkt.ip.IP._protosw.get(protocol, bytes)
    return parse(whole)


def _host(packed: bytes) -> str:
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, packed)


class _Fragments:
    """Joins the fragments of a packet, in whatever order they come."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[object, tuple[dict[int, bytes], list[int]]] = OrderedDict()

    def take(self, key: object, offset: int, more: bool, octets: bytes) -> bytes | None:
        """The whole packet once its last missing fragment is there."""
        parts, total = self._waiting.setdefault(key, ({}, []))
        parts[offset] = octets
        if not more:
            total[:] = [offset + len(octets)]
        if total and sum(map(len, parts.values())) >= total[0]:
            whole = bytearray()
            for begin in sorted(parts):
                if begin > len(whole):
                    break  # a hole: fragments overlap elsewhere
                whole[begin:] = parts[begin]
            else:
                del self._waiting[key]
                return bytes(whole[: total[0]])
        if len(parts) > _MOST_FRAGMENTS:
            del self._waiting[key]
        elif len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)
        return None


_MOST_FRAGMENTS: Final = 256  # 64 KiB in the smallest packets of IPv4 (576 octets) are 118
_MOST_WAITING: Final = 1000

# --- TCP -------------------------------------------------------------------------------------------


class _Connections:
    """Both directions of every TCP connection, each by itself."""

    def __init__(self, notes: Notes) -> None:
        self._directions: dict[Way, _Direction] = {}
        self._notes = notes

    def take(self, at: float, source: Address, target: Address, segment: Any) -> Iterator[Payload]:
        """The bytes that are next in order, now that this segment is there."""
        key = source, target
        begins = bool(segment.flags & dpkt.tcp.TH_SYN)
        if begins or key not in self._directions:
            self._directions[key] = _Direction((segment.seq + begins) & _WORD)
        direction = self._directions[key]
        octets = bytes(segment.data)
        if octets:
            direction.add(at, segment.seq + begins, octets)
            yield from self._given(key, direction, at_end=False)

    def rest(self) -> Iterator[Payload]:
        """Segments that follow a gap in the capture."""
        for key, direction in self._directions.items():
            yield from self._given(key, direction, at_end=True)

    def _given(self, key: Way, direction: _Direction, at_end: bool) -> Iterator[Payload]:
        for at, octets, follows in direction.ready(at_end):
            if not follows and not direction.is_new:
                self._notes.add(
                    f"TCP segments from {key[0][0]} to {key[1][0]} are missing in the capture"
                )
            direction.is_new = False
            yield Payload(at, *key, "tcp", octets, follows)


_WORD, _HALF = 0xFFFFFFFF, 0x80000000
_MOST_SEGMENTS: Final = 128  # that wait behind a missing one


class _Direction:
    """One direction of a connection: segments in, bytes in order out."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._waiting: dict[int, tuple[float, bytes]] = {}
        self._follows = False
        self.is_new = True

    def add(self, at: float, sequence: int, octets: bytes) -> None:
        """Keep a segment; of two that begin in one place the longer."""
        begin = sequence & _WORD
        if len(octets) > len(self._waiting.get(begin, (0, b""))[1]):
            self._waiting[begin] = at, octets

    def ready(self, at_end: bool) -> Iterator[tuple[float, bytes, bool]]:
        """Time, bytes, and whether they follow what was given last. A missing segment is given up
        once many wait for it.
        """
        while self._waiting:
            begin = min(self._waiting, key=self._ahead)
            ahead = self._ahead(begin)
            if ahead > 0 and not at_end and len(self._waiting) <= _MOST_SEGMENTS:
                return
            at, octets = self._waiting.pop(begin)
            if ahead < 0:  # a retransmission, of which some may be new
                octets, ahead = octets[-ahead:], 0
            if octets:
                self._next = (self._next + ahead + len(octets)) & _WORD
                yield at, octets, self._follows and not ahead
                self._follows = True

    def _ahead(self, begin: int) -> int:
        """How far a sequence number is ahead of the next one; sequence numbers begin again after
        2³².
        """
        return ((begin - self._next + _HALF) & _WORD) - _HALF
