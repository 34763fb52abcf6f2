"""What passes a call's media transport: counted, logged, and heard only from where it may come.

RTP is taken from the hosts that the call's SDP and its signalling name, from any port (RFC 4961 only recommends the same one).
Two functions of a ``pjmedia_transport`` are exchanged for ones that look and go on (pjproject 2.15, public headers).
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import socket
import struct
import threading
from collections.abc import Callable
from functools import lru_cache
from threading import get_ident
from time import monotonic
from typing import Any, Final

from harness.phone.child import rtcp
from harness.phone.child.reception import Reception
from harness.phone.rtp_log import Address, RtpLog

_SEND, _ATTACH = 3, 12  # send_rtp and attach2 in pjmedia_transport_op, the latter the last of it
_TOGETHER: Final = 100  # packets: two seconds'; they are looked at once a second, for the statistics of all legs
_ADDRESS_OCTETS: Final = 28  # of a pj_sockaddr
_RTCP_TYPES: Final = frozenset(bytes([kind]) for kind in range(192, 224))
_MOST_SOURCES: Final = 20
_OTHERS: Final[Address] = (b"", 0)
_LOOPBACK: Final = b"\x7f\x00\x00\x01"
_SEQUENCE_AND_SSRC: Final = struct.Struct("!2xH4xI")


class _Address(ctypes.Structure):
    """``pj_sockaddr``, laid out as the system's ``sockaddr_in6``, which is longer than its ``sockaddr_in``."""

    _fields_ = (("octets", ctypes.c_uint8 * 28),)


class _Attachment(ctypes.Structure):
    """``pjmedia_transport_attach_param``."""

    _fields_ = (
        ("stream", ctypes.c_void_p),
        ("media_type", ctypes.c_int),
        ("rtp_address", _Address),
        ("rtcp_address", _Address),
        ("address_length", ctypes.c_uint),
        ("user_data", ctypes.c_void_p),
        ("on_rtp_1", ctypes.c_void_p),
        ("on_rtcp", ctypes.c_void_p),
        ("on_rtp", ctypes.c_void_p),
    )


class _Operations(ctypes.Structure):
    """``pjmedia_transport_op``."""

    _fields_ = (("functions", ctypes.c_void_p * (_ATTACH + 1)),)


class _MediaTransport(ctypes.Structure):
    """``pjmedia_transport``, as far as it is used."""

    _fields_ = (("name", ctypes.c_char * 32), ("type", ctypes.c_int), ("operations", ctypes.POINTER(_Operations)))


# What is called a hundred times a second for each leg takes plain addresses: ctypes' structures cost more than all the rest.
_ARRIVAL: Final = struct.Struct("@PPnP")  # pjmedia_tp_cb_param: user data, packet, its size, pj_sockaddr it came from
_SWITCH: Final = ctypes.c_int  # what follows them: pj_bool_t rem_switch, which the receiver may set
_PARAMETER: Final = ctypes.c_char * _ARRIVAL.size
_MOST_PLACES: Final = 64
# As ctypes.string_at, without its way through Python.
_octets_at = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_ON_RTP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_ON_RTCP = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t)
_SENDS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_ATTACHES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_MediaTransport), ctypes.POINTER(_Attachment))

_kept_threads: Final[set[int]] = set()

#: Packets that we have sent, and what the far end says of them, None where it has no word on them.
Reported = Callable[[int, "int | None", "rtcp.Block | None"], None]


class Known:
    """The hosts that a call's media may come from; lasts as long as the call, over all its negotiations."""

    def __init__(self) -> None:
        self._hosts: set[bytes] = set()
        self._ends: set[Address] = set()
        self.strange: dict[Address, int] = {}  #: packets from elsewhere, by source

    def add_host(self, host: str) -> None:
        """The call's signalling comes from there: behind a NAT its SDP may name an address that nobody can see."""
        with contextlib.suppress(ValueError):
            self._hosts.add(ipaddress.ip_address(host).packed)

    def add_end(self, end: Address) -> None:
        """The far end's SDP names it. What it named before counts on: a party that goes on speaking is to be heard."""
        self._hosts.add(end[0])
        self._ends.add(end)

    def includes(self, source: Address) -> bool:
        """Whether a packet from there belongs to the call; counts those that do not."""
        if source[0] in self._hosts:
            return True
        # An agent on this machine that binds the wildcard address sends from 127.0.0.1, whatever loopback address it names.
        if source[0] == _LOOPBACK and any(host[:1] == b"\x7f" and port == source[1] for host, port in self._ends):
            return True
        if source not in self.strange and len(self.strange) >= _MOST_SOURCES:
            source = _OTHERS
        self.strange[source] = self.strange.get(source, 0) + 1
        return False


class Tap:
    """Sees each RTP packet of a call's media transport: counts those that come, before pjmedia gets them, and logs all.

    A packet's own moment costs little: it is put aside with its time, and looked at with others, when the caches hold the code.
    """

    def __init__(self, log: RtpLog, known: Known, reported: Reported) -> None:
        self.log, self._known, self._reported = log, known, reported
        self._reception: Reception | None = None  # of the stream that the transport carries now
        self._came: list[tuple[float, Address, bytes]] = []
        self._left: list[tuple[float, bytes]] = []
        self._heard: dict[
            bytes, tuple[Address, bool]
        ] = {}  # by sockaddr; what is foreign is asked, and counted, each time
        self._looking = threading.Lock()
        self._sent = 0
        self._ssrc = self._first = 0

    def begins(self, end: Address) -> None:
        """A stream with that far end begins."""
        self.look()
        self._known.add_end(end)
        self._heard.clear()
        self._reception = Reception()

    def comes(self, octets: bytes, sockaddr: bytes) -> bool:
        """A packet comes; False when it is not to be heard."""
        now = monotonic()
        known = self._heard.get(sockaddr)
        if known is None:
            source = _address(sockaddr)
            known = source, self._known.includes(source)
            if not known[1]:
                self.log.received(now, source, octets)
                return False
            self._heard[sockaddr] = known
        self._came.append((now, known[0], octets))
        if len(self._came) >= _TOGETHER:
            self.look()
        if octets[1:2] in _RTCP_TYPES and rtcp.is_rtcp(octets):
            self.rtcp_comes(octets)
        return True

    def goes(self, octets: bytes) -> None:
        """A packet leaves."""
        self._left.append((monotonic(), octets))
        if len(self._left) >= _TOGETHER:
            self.look()

    def look(self) -> None:
        """Count and log what was put aside."""
        with self._looking:
            # in place, so that a packet which another thread puts aside meanwhile is in the list that stays
            came, left = self._came[:], self._left[:]
            del self._came[: len(came)], self._left[: len(left)]
            self.log.all_received(came)
            self.log.all_sent(left)
            if self._reception is not None:
                for at, _, octets in came:
                    self._reception.take(at, octets)
            for _, octets in left:
                self._note_own(octets)

    def reception(self) -> Reception:
        """What has arrived of the stream so far."""
        self.look()
        return self._reception or Reception()

    def _note_own(self, octets: bytes) -> None:
        if len(octets) >= _SEQUENCE_AND_SSRC.size:
            sequence, ssrc = _SEQUENCE_AND_SSRC.unpack_from(octets)
            if ssrc != self._ssrc or not self._sent:
                self._ssrc, self._first, self._sent = ssrc, sequence, 0
        self._sent += 1

    def rtcp_comes(self, packet: bytes) -> None:
        """The far end reports; encrypted (SRTCP) it cannot be read here, and names nothing that fits."""
        self.look()
        for block in rtcp.reports(packet, self._ssrc) if self._sent else ():
            self._reported(self._sent, rtcp.received(self._first, block) if block else None, block)

    def close(self) -> None:
        """Nothing passes any more."""
        self.look()
        self.log.close()


class Taps:
    """Puts taps on media transports.

    What is kept of ended calls is overwritten when their addresses come again.
    """

    def __init__(self) -> None:
        # by the transport's address, with its own send_rtp and attach2
        self._taps: dict[int, tuple[Tap, Any, Any]] = {}
        # by the callbacks' user data: whose they were
        self._streams: dict[int, tuple[Any, Any, Tap]] = {}
        self._tables: dict[int, _Operations] = {}  # by the address of the table they stand for
        self._originals: dict[int, tuple[Any, Any]] = {}  # by the address of a table of ours: what is behind it
        self._places: dict[
            int, tuple[Any, Any]
        ] = {}  # by the address of a callback's parameter: how it is read and written
        # Any thread may be inside these at any time, so they stay as long as the process.
        self._attaches, self._sends = _ATTACHES(self._attach), _SENDS(self._send)
        self._arrives, self._reports = _ON_RTP(self._arrive), _ON_RTCP(self._report)

    def put(self, address: int, log: RtpLog, known: Known, reported: Reported) -> Tap:
        """A tap on the transport (``pjmedia_transport *``) that a call is about to use."""
        transport = _MediaTransport.from_address(address)
        operations = ctypes.addressof(transport.operations.contents)
        if operations not in self._originals:
            ours = self._tables.get(operations) or self._table(operations)
            operations = ctypes.addressof(ours)
        tap = Tap(log, known, reported)
        self._taps[address] = (tap, *self._originals[operations])
        transport.operations = ctypes.pointer(_Operations.from_address(operations))
        return tap

    def _table(self, original: int) -> _Operations:
        table = _Operations.from_buffer_copy(_Operations.from_address(original))
        self._originals[ctypes.addressof(table)] = _SENDS(table.functions[_SEND]), _ATTACHES(table.functions[_ATTACH])
        table.functions[_SEND] = ctypes.cast(self._sends, ctypes.c_void_p).value
        table.functions[_ATTACH] = ctypes.cast(self._attaches, ctypes.c_void_p).value
        self._tables[original] = table
        return table

    def _attach(self, transport: Any, attachment: Any) -> int:
        asked = attachment.contents
        tap, _, attach = self._taps[ctypes.addressof(transport.contents)]
        if asked.on_rtp:
            tap.begins(_address(bytes(asked.rtp_address)))
            self._streams[asked.user_data] = (_ON_RTP(asked.on_rtp), _ON_RTCP(asked.on_rtcp), tap)
            asked.on_rtp = ctypes.cast(self._arrives, ctypes.c_void_p).value
            if asked.on_rtcp:
                asked.on_rtcp = ctypes.cast(self._reports, ctypes.c_void_p).value
        return int(attach(transport, attachment))

    def _arrive(self, arrival: int) -> None:
        if get_ident() not in _kept_threads:
            _keep_thread()
        parameter, switch = self._places.get(arrival) or self._place(arrival)
        user_data, packet, size, source = _ARRIVAL.unpack_from(parameter)
        onward, _, tap = self._streams[user_data]
        heard = True
        try:
            if size > 0 and source:  # below zero it is an error of the socket
                heard = tap.comes(_octets_at(packet, size), _octets_at(source, _ADDRESS_OCTETS))
        finally:  # whatever becomes of the looking: the call is not to suffer
            if heard:
                onward(arrival)
                # The stream asks the transport to send wherever packets come from. But RTP is owed to where the SDP says
                # (RFC 3264 section 5.1), and a phone that mends a wrong address by itself hides it.
                switch.value = 0

    def _place(self, arrival: int) -> tuple[Any, Any]:
        """The parameter at that address: always the same few, on the stacks of pjmedia's threads."""
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        place = _PARAMETER.from_address(arrival), _SWITCH.from_address(arrival + _ARRIVAL.size)
        self._places[arrival] = place
        return place

    def _report(self, user_data: int, packet: int, size: int) -> None:
        _, onward, tap = self._streams[user_data]
        try:
            if size > 0:
                tap.rtcp_comes(ctypes.string_at(packet, size))
        finally:
            onward(user_data, packet, size)

    def _send(self, transport: int, packet: int, size: int) -> int:
        if get_ident() not in _kept_threads:
            _keep_thread()
        tap, send, _ = self._taps[transport]
        tap.goes(_octets_at(packet, size))
        status: int = send(transport, packet, size)
        return status


@lru_cache(maxsize=64)
def _address(sockaddr: bytes) -> Address:
    (family,), (port,) = struct.unpack_from("=H", sockaddr), struct.unpack_from("!H", sockaddr, 2)
    return (sockaddr[8:24] if family == socket.AF_INET6 else sockaddr[4:8]), port


def _keep_thread() -> None:
    """Keep the calling thread's Python state: else each callback makes one and throws it away, a fifth of a leg's cost.

    For threads of pjsip's, which last as long as the process.
    """
    _kept_threads.add(get_ident())
    ctypes.pythonapi.PyGILState_Ensure()


def spelled(address: Address) -> str:
    """``host:port``; ``others`` for what stands for several."""
    host, port = address
    if not host:
        return "others"
    name = str(ipaddress.ip_address(host))
    return f"[{name}]:{port}" if len(host) == 16 else f"{name}:{port}"
