"""Counts and logs the packets of a call's media transport, and accepts only those of known hosts.

RTP and RTCP are accepted from the hosts of the call's SDP and signalling, from any port (RFC 4961
only recommends the same one). pjmedia would accept RTCP from any host, and after three packets send
its reports, with the SSRC, there. Six functions of a ``pjmedia_transport`` are replaced by ones
that inspect the packets first (pjproject 2.15, public headers). C code (``crossing.c``) buffers
most packets with their times. Python processes them together, and those that the C code leaves.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from harness.phone.child.pjlib import SocketAddress, address_of
from harness.phone.child.streams import (
    Block,
    Reception,
    Sending,
    is_rtcp,
    packets_received,
    reports,
)
from harness.phone.rtp_log import Address, RtpLog, record

# -- the ring buffers of crossing.c, whose layout the structures have

FUNCTIONS: Final = 13  #: in a ``pjmedia_transport_op`` (pjproject 2.15)
#: Of them ``get_info``, ``detach``, ``send_rtp``, ``send_rtcp``, ``send_rtcp2``, ``media_start``,
#: ``destroy`` and ``attach2``.
INFO, DETACH, SEND, REPORT, REPORT_TO, START, DESTROY, ATTACH = 0, 2, 3, 4, 5, 8, 11, 12
RING_OCTETS: Final = 1 << 15
_SOURCE_OCTETS: Final = 24


class _Ring(ctypes.Structure):
    _fields_ = (
        ("written", ctypes.c_uint64),
        ("read", ctypes.c_uint64),
        ("octets", ctypes.c_void_p),
        ("busy", ctypes.c_bool),
    )


class _Block(ctypes.Structure):
    _fields_ = (
        ("functions", ctypes.c_void_p * FUNCTIONS),
        *((name, ctypes.c_void_p) for name in ("send", "send_aside", "arrive", "arrive_aside")),
        *((name, ctypes.c_void_p) for name in ("start", "acquire", "release", "stream")),
        ("source", ctypes.c_uint8 * _SOURCE_OCTETS),
        ("came", _Ring),
        ("left", _Ring),
    )


_library = ctypes.CDLL(str(Path(__file__).with_name("libcrossing.so")))


def place(function: Any) -> int:
    """The address of a C function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_ARRIVE: Final = place(_library.crossing_arrive)
_SEND: Final = place(_library.crossing_send)
_START: Final = place(_library.crossing_start)


#: Addresses of ``pj_grp_lock_acquire`` and ``pj_grp_lock_release``.
GroupLock = tuple[int, int]


def _taken(ring: Any, octets: memoryview) -> bytes:
    written, read = ring.written, ring.read
    begin, kept = read % RING_OCTETS, written - read
    records = bytes(octets[begin : begin + kept])
    records += bytes(octets[: kept - len(records)])
    ring.read = written
    return records


# -- the taps

_ADDRESS_OCTETS: Final = 28  # of a pj_sockaddr
_MOST_SOURCES: Final = 20
#: Time after a transport's end until no thread is inside its functions any more.
_LINGERS_S: Final = 10.0
_OTHERS: Final[Address] = (b"", 0)
_LOOPBACK: Final = b"\x7f\x00\x00\x01"


class _Attachment(ctypes.Structure):
    """``pjmedia_transport_attach_param``."""

    _fields_ = (
        ("stream", ctypes.c_void_p),
        ("media_type", ctypes.c_int),
        ("rtp_address", SocketAddress),
        ("rtcp_address", SocketAddress),
        ("address_length", ctypes.c_uint),
        ("user_data", ctypes.c_void_p),
        ("on_rtp_1", ctypes.c_void_p),
        ("on_rtcp", ctypes.c_void_p),
        ("on_rtp", ctypes.c_void_p),
    )


class _Sockets(ctypes.Structure):
    """``pjmedia_sock_info``."""

    _fields_ = (
        ("rtp_socket", ctypes.c_long),
        ("rtp_name", SocketAddress),
        ("rtcp_socket", ctypes.c_long),
        ("rtcp_name", SocketAddress),
    )


class _Info(ctypes.Structure):
    """``pjmedia_transport_info``, with room for what each kind of transport adds."""

    _fields_ = (
        ("sockets", _Sockets),
        ("rtp_source", SocketAddress),
        ("rtcp_source", SocketAddress),
        ("specific_count", ctypes.c_uint),
        ("specific", ctypes.c_uint8 * 4096),
    )


class _MediaTransport(ctypes.Structure):
    """``pjmedia_transport``, as far as it is used."""

    _fields_ = (
        ("name", ctypes.c_char * 32),
        ("type", ctypes.c_int),
        ("functions", ctypes.c_void_p),
    )


class _Arrival(ctypes.Structure):
    """``pjmedia_tp_cb_param``."""

    _fields_ = (
        ("user_data", ctypes.c_void_p),
        ("packet", ctypes.c_void_p),
        ("size", ctypes.c_ssize_t),
        ("source", ctypes.c_void_p),
        ("switch", ctypes.c_int),
    )


_ON_RTP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_ON_RTCP = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t)
_SENDS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_REPORTS_TO = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t
)
_TELLS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Info))
_ATTACHES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_DETACHES = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
_DESTROYS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)

#: The reporting source, the packets sent, the packets it received, and its block; None if it
#: reports nothing about the stream.
Reported = Callable[[int, int, "int | None", "Block | None"], None]


class Known:
    """The hosts that a call's media may come from; lasts as long as the call, over all its
    negotiations.

    Everything that comes from another host is kept from pjmedia: it would be played, and be
    answered there. What was kept away is counted by its source, up to a number of sources.
    """

    def __init__(self) -> None:
        self._hosts: set[bytes] = set()
        self._ends: set[Address] = set()
        self._reporters: set[Address] = set()
        self._heard: set[bytes] = set()
        self.strange: dict[Address, int] = {}  #: packets from elsewhere, by source

    def add_host(self, host: str) -> None:
        """Accept the host of the call's signalling: behind a NAT the SDP may name a private
        address.
        """
        with contextlib.suppress(ValueError):
            self._hosts.add(ipaddress.ip_address(host).packed)

    def add_end(self, end: Address) -> None:
        """Accept an address of the far end's SDP. Earlier ones stay accepted, because a party may
        go on speaking.
        """
        self._hosts.add(end[0])
        self._ends.add(end)

    def add_reporter(self, end: Address) -> None:
        """Accept the SDP's address for RTCP, which may be another host (RFC 3605)."""
        self._reporters.add(end)

    def has_host(self, host: str) -> bool:
        """Whether RTP from the host is accepted."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).packed in self._hosts
        return False

    def includes(self, source: Address) -> bool:
        """Whether a packet from ``source`` is accepted; other packets are counted."""
        if source[0] in self._hosts:
            self._heard.add(source[0])
            return True
        if _is_wildcard(source, self._ends.copy()):
            return True
        if source not in self.strange and len(self.strange) >= _MOST_SOURCES:
            source = _OTHERS
        self.strange[source] = self.strange.get(source, 0) + 1
        return False

    def includes_reporter(self, source: Address) -> bool:
        """Whether RTCP from ``source`` is accepted."""
        if source[0] in self._hosts:
            return True
        ends = self._reporters.copy()
        return any(source[0] == host for host, _ in ends) or _is_wildcard(source, ends)

    @property
    def elsewhere(self) -> str:
        """The signalling host that sent all media, if the SDP names another host; else empty."""
        named = {host for host, _ in self._ends.copy()}
        heard = list(self._heard.copy())  # the media thread goes on
        if not named or len(heard) != 1:
            return ""
        if heard[0] in named or heard[0] == _LOOPBACK:
            return ""
        return str(ipaddress.ip_address(heard[0]))


def _is_wildcard(source: Address, ends: set[Address]) -> bool:
    """Whether ``source`` may be an agent on this machine that is bound to the wildcard address: it
    sends from 127.0.0.1, although its SDP names another loopback address.
    """
    source_host, source_port = source
    if source_host != _LOOPBACK:
        return False
    return any(host[:1] == b"\x7f" and port == source_port for host, port in ends)


class _Tapped:
    """A media transport whose functions are replaced. It must last as long as the transport."""

    tap: Tap

    def __init__(self, transport: int, functions: int, lock: GroupLock) -> None:
        """``functions`` is the address of the transport's original functions."""
        self._transport = transport
        own = [at or 0 for at in (ctypes.c_void_p * FUNCTIONS).from_address(functions)]
        self.send = _SENDS(own[SEND])
        self.attach = _ATTACHES(own[ATTACH])
        self.detach = _DETACHES(own[DETACH])
        self.destroy = _DESTROYS(own[DESTROY])
        self.report_to = _REPORTS_TO(own[REPORT_TO])
        self._info = _TELLS(own[INFO])
        self._rings = tuple((ctypes.c_uint8 * RING_OCTETS)() for _ in range(2))
        self._block = block = _Block()
        block.came.octets, block.left.octets = map(ctypes.addressof, self._rings)
        # The transport gets all of its own functions but two, which are those of crossing.c; they
        # call the transport's own.
        block.functions[:] = own
        block.functions[SEND] = _SEND
        block.functions[START] = _START
        block.send = own[SEND]
        block.start = own[START]
        block.acquire, block.release = lock
        #: Of the functions; also the user data of received packets.
        self.address = ctypes.addressof(block)
        self.gone_at: float | None = None
        self.stream = 0  # the user data of the callbacks that follow
        self.on_rtp: Any = None
        self.on_rtcp: Any = None
        # Where the SDP says that RTCP goes.
        self.reporter = SocketAddress()
        self.reporter_length = 0

    def replace(self, functions: Mapping[int, Any], send: int, arrive: int) -> None:
        """Use Python ``functions``, by their numbers; ``send`` and ``arrive`` get only packets that
        were not buffered.
        """
        for number, function in functions.items():
            self._block.functions[number] = place(function)
        self._block.send_aside, self._block.arrive_aside = send, arrive

    def begins(self, asked: Any) -> None:
        """Put the callbacks of a new stream behind those of the tap; ``asked`` is its
        :class:`_Attachment`.
        """
        self.reporter = SocketAddress.from_buffer_copy(asked.rtcp_address)
        self.reporter_length = asked.address_length
        self.stream = asked.user_data
        self.on_rtp = _ON_RTP(asked.on_rtp)
        self.on_rtcp = _ON_RTCP(asked.on_rtcp)
        self._block.stream = asked.user_data
        self._block.arrive = asked.on_rtp
        self.buffer_from(bytes(_SOURCE_OCTETS))  # no source yet
        asked.on_rtp = _ARRIVE
        asked.user_data = self.address

    def buffer_from(self, source: bytes) -> None:
        """Buffer RTP from this ``pj_sockaddr`` only. Call it in the thread that receives RTP."""
        self._block.source[:] = source[:_SOURCE_OCTETS]

    def received(self) -> bytes:
        """Take the buffered received packets, as records for :func:`harness.phone.rtp_log.packets`.
        One thread at a time.
        """
        return _taken(self._block.came, memoryview(self._rings[0]))

    def sent(self) -> bytes:
        """Take the buffered sent packets."""
        return _taken(self._block.left, memoryview(self._rings[1]))

    def accepts_report(self) -> bool:
        """Whether the RTCP packet that was just received comes from the far end, by the source that
        the transport reports.
        """
        info = _Info()
        if self._info(self._transport, info) != 0:
            return False
        source = address_of(bytes(info.rtcp_source))
        return self.tap.known.includes_reporter(source)


class Tap:
    """Counts the received RTP packets of a call's media transport before pjmedia gets them, and
    logs all packets.

    Most packets are only buffered as they pass, and processed together.
    """

    def __init__(self, transport: _Tapped, log: RtpLog, known: Known, reported: Reported) -> None:
        self.log = log
        self.known = known
        self._transport = transport
        self._reported = reported
        self._reception: Reception | None = None  # of the stream that the transport carries now
        self._source: Address = _OTHERS  # of the buffered packets
        self._lock = threading.RLock()
        self.sending = Sending()

    def begins(self, end: Address, reporter: Address) -> None:
        """Note a new stream; ``end`` and ``reporter`` are the far end's addresses for RTP and RTCP."""
        self.drain()
        self.known.add_end(end)
        self.known.add_reporter(reporter)
        self._reception = Reception()

    def receive(self, octets: bytes, sockaddr: bytes) -> bool:
        """Count and log a packet that was not buffered; False if its source is not accepted."""
        now, source = monotonic(), address_of(sockaddr)
        with self._lock:
            self.drain()
            packet = record(now, octets)
            self.log.received(source, packet)
            if not self.known.includes(source):
                return False
            self._source = source
            self._transport.buffer_from(sockaddr)
            if self._reception is not None:
                self._reception.take(packet)
        if is_rtcp(octets):
            self.receive_rtcp(octets)
        return True

    def send(self, octets: bytes) -> None:
        """Count and log a sent packet that was not buffered."""
        now = monotonic()
        with self._lock:
            self.drain()
            packet = record(now, octets)
            self.log.sent(packet)
            self.sending.take(packet)

    def drain(self) -> None:
        """Count and log the buffered packets."""
        with self._lock:
            received, sent = self._transport.received(), self._transport.sent()
            self.log.received(self._source, received)
            self.log.sent(sent)
            if self._reception is not None:
                self._reception.take(received)
            self.sending.take(sent)

    @contextlib.contextmanager
    def reception(self) -> Iterator[Reception]:
        """The counters of the current stream; nothing is counted meanwhile."""
        with self._lock:
            self.drain()
            yield self._reception or Reception()

    def receive_rtcp(self, packet: bytes) -> None:
        """Pass on the far end's reports about the sent stream."""
        self.drain()
        own = self.sending
        if not own.sent:
            return
        for reporter, block in reports(packet, own.ssrc).items():
            received = packets_received(own.first, block) if block else None
            self._reported(reporter, own.sent, received, block)

    def close(self) -> None:
        """End with the call."""
        self.drain()
        self.log.close()


class Taps:
    """Puts taps on media transports.

    pjsua makes a media transport for each call, and may use one again for the next call, at the
    same address. A tap is put on it before a call uses it; the transport's functions stay replaced
    for as long as it exists, and each call gets a tap of its own.
    """

    def __init__(self, lock: GroupLock) -> None:
        self._lock = lock
        # What is kept of an ended call goes some time after it, or when another transport comes to
        # the same address.
        self._by_transport: dict[int, _Tapped] = {}
        self._by_block: dict[int, _Tapped] = {}
        # Any thread may be inside these at any time, so they stay as long as the process.
        self._send_aside = _SENDS(self._send)
        self._arrive_aside = _ON_RTP(self._arrive)
        self._reports = _ON_RTCP(self._report)
        self._functions = {
            DETACH: _DETACHES(self._detach),
            ATTACH: _ATTACHES(self._attach),
            DESTROY: _DESTROYS(self._destroy),
            REPORT: _SENDS(self._send_report),
        }

    def put(self, address: int, log: RtpLog, known: Known, reported: Reported) -> Tap:
        """A tap on the transport (``pjmedia_transport *``) that a call is about to use."""
        self._forget_the_gone()
        transport = _MediaTransport.from_address(address)
        tapped = self._by_block.get(transport.functions)
        if tapped is None:
            gone = self._by_transport.get(address)
            if gone is not None:
                del self._by_block[gone.address]
            tapped = _Tapped(address, transport.functions, self._lock)
            tapped.replace(self._functions, place(self._send_aside), place(self._arrive_aside))
            self._by_transport[address] = self._by_block[tapped.address] = tapped
            transport.functions = tapped.address
        else:
            tapped.tap.drain()
        tapped.tap = Tap(tapped, log, known, reported)
        return tapped.tap

    def _forget_the_gone(self) -> None:
        now = monotonic()
        for address, tapped in list(self._by_transport.items()):
            if tapped.gone_at is not None and now - tapped.gone_at >= _LINGERS_S:
                del self._by_transport[address], self._by_block[tapped.address]

    def _attach(self, transport: int, attachment: int) -> int:
        """A stream begins on a transport: the tap's callbacks go before the stream's own."""
        asked = _Attachment.from_address(attachment)
        tapped = self._by_transport[transport]
        if asked.on_rtp:
            end = address_of(bytes(asked.rtp_address))
            reporter = address_of(bytes(asked.rtcp_address))
            tapped.tap.begins(end, reporter)
            tapped.begins(asked)
            if asked.on_rtcp:
                asked.on_rtcp = place(self._reports)
        return int(tapped.attach(transport, attachment))

    def _detach(self, transport: int, stream: int) -> None:
        tapped = self._by_transport[transport]
        if stream != tapped.stream:
            tapped.detach(transport, stream)
            return
        tapped.detach(transport, tapped.address)  # pjmedia asserts that it is what was attached
        tapped.stream = 0  # not before: a packet may be on its way to the stream until that returns

    def _destroy(self, transport: int) -> int:
        tapped = self._by_transport[transport]
        try:
            return int(tapped.destroy(transport))
        finally:
            tapped.gone_at = monotonic()

    def _arrive(self, arrival: int) -> None:
        """Handle a received packet that was not buffered."""
        parameter = _Arrival.from_address(arrival)
        block = parameter.user_data
        tapped = self._by_block[block]
        accepted = True
        try:
            if parameter.size > 0 and parameter.source:  # below zero it is an error of the socket
                packet = ctypes.string_at(parameter.packet, parameter.size)
                sockaddr = ctypes.string_at(parameter.source, _ADDRESS_OCTETS)
                accepted = tapped.tap.receive(packet, sockaddr)
        finally:  # an error here must not cost the call its audio
            if accepted:
                source = parameter.source
                # As for buffered packets.
                parameter.user_data = tapped.stream
                parameter.source = None
                tapped.on_rtp(arrival)
                parameter.user_data = block
                parameter.source = source

    def _report(self, block: int, packet: int, size: int) -> None:
        """Pass RTCP on to pjmedia if it comes from the far end."""
        tapped = self._by_block[block]
        accepted = True
        try:
            if size > 0:
                accepted = tapped.accepts_report()
                if accepted:
                    tapped.tap.receive_rtcp(ctypes.string_at(packet, size))
        finally:
            if accepted:
                tapped.on_rtcp(tapped.stream, packet, size)

    def _send_report(self, transport: int, packet: int, size: int) -> int:
        """Send RTCP to the address in the SDP; pjmedia would send it to where the far end's RTCP
        comes from.
        """
        tapped = self._by_transport[transport]
        host, _ = address_of(bytes(tapped.reporter))
        to = None  # without an address pjmedia knows where else
        if any(host):
            to = ctypes.addressof(tapped.reporter)
        return int(tapped.report_to(transport, to, tapped.reporter_length, packet, size))

    def _send(self, transport: int, packet: int, size: int) -> int:
        """Send RTP for which the buffer had no room, or was in use by another thread."""
        tapped = self._by_transport[transport]
        tapped.tap.send(ctypes.string_at(packet, size))
        return int(tapped.send(transport, packet, size))


def spelled(address: Address) -> str:
    """``host:port``; ``others`` for the entry that counts further sources."""
    host, port = address
    if not host:
        return "others"
    name = str(ipaddress.ip_address(host))
    return f"[{name}]:{port}" if len(host) == 16 else f"{name}:{port}"
