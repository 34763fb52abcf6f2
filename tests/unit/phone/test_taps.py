"""What a tap on a media transport counts, logs and passes on, with a fake of pjmedia's transport."""

from __future__ import annotations

import ctypes
import struct
import time
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child import taps
from harness.phone.child.taps import RING_OCTETS, Known, Tap, Taps, spelled
from harness.phone.rtp_log import Address, RtpLog, read

STREAM, GROUP = 0x5EED, 0x6409
END, OTHER_PORT, STRANGER = ("127.0.0.9", 4000), ("127.0.0.9", 4002), ("127.0.0.66", 4000)
END_6, OTHER_6, STRANGER_6 = ("2001:db8::1", 4000), ("2001:db8::1", 4002), ("2001:db8::2", 4000)
Words = ctypes.c_void_p * taps.FUNCTIONS
Starts = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint
)
Locks = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def sockaddr(host: str, port: int) -> bytes:
    if ":" in host:
        return (
            struct.pack("=H", AF_INET6)
            + struct.pack("!HI16s", port, 0, inet_pton(AF_INET6, host))
            + bytes(4)
        )
    return (
        struct.pack("=H", AF_INET)
        + struct.pack("!H4s", port, inet_pton(AF_INET, host))
        + b"left over".ljust(20)
    )


def address(host: str, port: int) -> Address:
    return inet_pton(AF_INET6 if ":" in host else AF_INET, host), port


class Structure(ctypes.Structure):
    """``pjmedia_transport``."""

    _fields_ = (
        ("name", ctypes.c_char * 32),
        ("type", ctypes.c_int),
        ("functions", ctypes.POINTER(Words)),
        ("user_data", ctypes.c_void_p),
        ("group_lock", ctypes.c_void_p),
    )


class Transport:
    """A fake of pjmedia's UDP transport, its group lock, and the stream that is attached to it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []
        self.done: list[tuple[str, int]] = []  #: with the lock, and under it
        self._attached = taps._Attachment()
        self._functions = {
            taps.SEND: taps._SENDS(self._send),
            taps.ATTACH: taps._ATTACHES(self._attach),
            taps.START: Starts(self._start),
        }
        self._table = Words()
        for number, function in self._functions.items():
            self._table[number] = taps.place(function)
        self._lock = [
            Locks(lambda lock, what=what: self._note(what, lock)) for what in ("acquire", "release")
        ]
        self._on_rtp, self._on_rtcp = (
            taps._ON_RTP(self._rtp_arrived),
            taps._ON_RTCP(lambda *_: None),
        )
        self._structure = Structure(b"udp", 0, ctypes.pointer(self._table), None, GROUP)
        self.address = ctypes.addressof(self._structure)
        self.lock = taps.place(self._lock[0]), taps.place(self._lock[1])

    def _note(self, what: str, lock: int) -> int:
        self.done.append((what, lock))
        return 0

    def _send(self, transport: int, packet: int, size: int) -> int:
        assert transport == self.address
        self.sent.append(ctypes.string_at(packet, size))
        return 0

    def _attach(self, transport: int, attachment: int) -> int:
        self._attached = taps._Attachment.from_buffer_copy(
            taps._Attachment.from_address(attachment)
        )
        return 0

    def _start(self, *given: int) -> int:
        assert given == (self.address, 1, 2, 3, 4)
        self._note("start", given[-1])
        return 5

    def _rtp_arrived(self, arrival: int) -> None:
        given = taps._Arrival.from_address(arrival)
        assert given.user_data == STREAM
        self.heard.append(ctypes.string_at(given.packet, given.size))
        given.switch = int(
            given.source is not None
        )  # as the stream asks for when the source is another than the SDP's

    # What pjsip and the network do.

    def _function(self, number: int) -> int:
        """The address of a function, as the tap has left it."""
        return self._structure.functions.contents[number] or 0

    def start(self) -> int:
        return int(Starts(self._function(taps.START))(self.address, 1, 2, 3, 4))

    def attach(self, end: bytes) -> None:
        asked = taps._Attachment(user_data=STREAM, address_length=16)
        asked.on_rtp, asked.on_rtcp = taps.place(self._on_rtp), taps.place(self._on_rtcp)
        asked.rtp_address.octets[:] = end
        taps._ATTACHES(self._function(taps.ATTACH))(self.address, ctypes.addressof(asked))

    def arrives(self, packet: bytes, source: bytes) -> None:
        kept = (
            ctypes.create_string_buffer(packet, len(packet)),
            ctypes.create_string_buffer(source, 28),
        )
        arrival = taps._Arrival(
            self._attached.user_data,
            ctypes.addressof(kept[0]),
            len(packet),
            ctypes.addressof(kept[1]),
        )
        taps._ON_RTP(self._attached.on_rtp)(ctypes.addressof(arrival))
        assert arrival.switch == 0
        assert arrival.user_data == self._attached.user_data

    def sends(self, packet: bytes) -> None:
        kept = ctypes.create_string_buffer(packet, len(packet))
        assert (
            taps._SENDS(self._function(taps.SEND))(
                self.address, ctypes.addressof(kept), len(packet)
            )
            == 0
        )


class Call:
    """A tapped transport."""

    def __init__(self, directory: Path, end: tuple[str, int]) -> None:
        self.transport, self.known = Transport(), Known()
        self.taps = Taps(self.transport.lock)
        self._path = directory / f"{time.monotonic_ns()}.rtp.gz"
        self.reports: list[
            tuple[int, int, int | None]
        ] = []  # by whom, of packets sent, and received
        log = RtpLog(self._path)
        self.tap: Tap = self.taps.put(
            self.transport.address, log, self.known, lambda *said: self.reports.append(said[:3])
        )
        self.transport.attach(sockaddr(*end))

    def logged(self) -> tuple[list[tuple[Address, bytes]], list[bytes]]:
        """The received packets with their sources, and the sent packets."""
        self.tap.close()
        packets = list(read(self._path))
        came = [((p.source[0].packed, p.source[1]), p.octets) for p in packets if p.source]
        return came, [p.octets for p in packets if not p.source]


PLACES = {"v4": (END, OTHER_PORT, STRANGER), "v6": (END_6, OTHER_6, STRANGER_6)}


def rtp(sequence: int, size: int = 172, kind: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, 160 * sequence, 7).ljust(
        size, b"\x5a"
    )


def packets() -> st.SearchStrategy[bytes]:
    sized = st.builds(
        rtp, st.integers(0, 65535), st.integers(12, 1500), st.sampled_from([0, 8, 101, 128])
    )
    report = st.just(struct.pack("!BBHI", 0x80, 201, 1, 7))
    return sized | report | st.binary(min_size=1, max_size=40)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("taps")


@given(
    family=st.sampled_from(sorted(PLACES)),
    doings=st.lists(st.tuples(st.sampled_from([0, 1, 2, "send", "look"]), packets()), max_size=60),
)
def test_every_packet_is_logged_and_only_known_sources_are_heard(
    family: str, doings: list[tuple[int | str, bytes]], scratch: Path
) -> None:
    call = Call(scratch, PLACES[family][0])
    came, heard, left = [], [], []
    for what, packet in doings:
        if what == "send":
            call.transport.sends(packet)
            left.append(packet)
        elif what == "look":
            call.tap.drain()
        else:
            assert isinstance(what, int)
            place = PLACES[family][what]
            call.transport.arrives(packet, sockaddr(*place))
            came.append((address(*place), packet))
            heard += [packet] if what < 2 else []
    assert call.transport.heard == heard
    assert call.transport.sent == left
    assert sum(call.known.strange.values()) == len(came) - len(heard)
    assert call.logged() == (came, left)


def test_packets_beyond_the_ring_are_logged(scratch: Path) -> None:
    """The rings are full because nothing drained them: Python then handles each packet."""
    call = Call(scratch, END)
    stream = [rtp(number, 172 + number % 9) for number in range(3 * RING_OCTETS // 172)]
    for packet in stream:
        call.transport.arrives(packet, sockaddr(*END))
        call.transport.sends(packet)
    assert call.transport.heard == call.transport.sent == stream
    assert call.logged() == ([(address(*END), packet) for packet in stream], stream)


def test_a_report_on_the_port_of_rtp_is_read(scratch: Path) -> None:
    """RFC 5761. Also from a source whose RTP is buffered."""
    call = Call(scratch, END)
    for number in range(10):
        call.transport.sends(rtp(number))
    call.transport.arrives(rtp(0), sockaddr(*END))
    block = struct.pack(
        "!IBBHIIII", 7, 0, 0, 1, 8, 0, 0, 0
    )  # of our source, one lost, 8 the highest
    call.transport.arrives(struct.pack("!BBHI", 0x81, 201, 7, 9) + block, sockaddr(*END))
    assert call.reports == [(9, 10, 8)]


def place(last: int, port: int, network: int = 127) -> Address:
    return bytes([network, 0, 0, last]), port


def test_media_from_a_host_that_the_sdp_does_not_name() -> None:
    known = Known()
    known.add_host("203.0.113.5")
    known.includes((bytes([203, 0, 113, 5]), 1234))
    assert known.elsewhere == "", "no SDP has named any yet"
    known.add_end(place(9, 4000, network=10))
    assert known.elsewhere == "203.0.113.5"
    known.includes(place(9, 4000, network=10))
    assert known.elsewhere == "", "it comes from there as well"


def test_an_agent_bound_to_the_wildcard_address_on_this_machine() -> None:
    known = Known()
    known.add_end(place(9, 4000))
    assert known.includes(place(1, 4000))
    assert not known.includes(place(1, 4002))
    elsewhere = Known()
    elsewhere.add_end(place(9, 4000, network=10))
    assert not elsewhere.includes(place(1, 4000))


def test_many_sources_are_counted_together() -> None:
    known = Known()
    for number in range(100):
        known.includes(place(2, number))
    assert len(known.strange) <= 21
    assert sum(known.strange.values()) == 100
    assert {"127.0.0.2:5", "others"} <= {spelled(source) for source in known.strange}
