"""What a tap on a media transport hears, logs and lets pass, by a transport as pjmedia has it: C structures and functions."""

from __future__ import annotations

import ctypes
import gc
import struct
import sys
import threading
import time
import weakref
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.crossing import ATTACH, DESTROY, DETACH, FUNCTIONS, RING_OCTETS, SEND, START, GroupLock, place
from harness.phone.child.taps import Known, Tap, Taps
from harness.phone.rtp_log import Address, RtpLog, read

STREAM, GROUP = 0x5EED, 0x6409
Words = ctypes.c_void_p * FUNCTIONS
Sends = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
Attaches = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
Detaches = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
Destroys = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
Starts = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint
)
Locks = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
OnRtp = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
OnRtcp = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t)


class Arrival(ctypes.Structure):
    _fields_ = (
        ("user_data", ctypes.c_void_p),
        ("packet", ctypes.c_void_p),
        ("size", ctypes.c_ssize_t),
        ("source", ctypes.c_void_p),
        ("switch", ctypes.c_int),
    )


class Attachment(ctypes.Structure):
    _fields_ = (
        ("stream", ctypes.c_void_p),
        ("media_type", ctypes.c_int),
        ("rtp_address", ctypes.c_uint8 * 28),
        ("rtcp_address", ctypes.c_uint8 * 28),
        ("address_length", ctypes.c_uint),
        ("user_data", ctypes.c_void_p),
        ("on_rtp_1", ctypes.c_void_p),
        ("on_rtcp", ctypes.c_void_p),
        ("on_rtp", ctypes.c_void_p),
    )


class Structure(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * 32),
        ("type", ctypes.c_int),
        ("functions", ctypes.POINTER(Words)),
        ("user_data", ctypes.c_void_p),
        ("group_lock", ctypes.c_void_p),
    )


def sockaddr(host: str, port: int) -> bytes:
    if ":" in host:
        return struct.pack("=H", AF_INET6) + struct.pack("!HI16s", port, 0, inet_pton(AF_INET6, host)) + bytes(4)
    return struct.pack("=H", AF_INET) + struct.pack("!H4s", port, inet_pton(AF_INET, host)) + b"left over".ljust(20)


def address(host: str, port: int) -> Address:
    return inet_pton(AF_INET6 if ":" in host else AF_INET, host), port


class Lock:
    """pjlib's group locks: what was done with them, in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self._functions = (
            Locks(lambda lock: self._note("acquire", lock)),
            Locks(lambda lock: self._note("release", lock)),
        )
        self.places = GroupLock(*map(place, self._functions))

    def _note(self, what: str, lock: int) -> int:
        self.done.append((what, lock))
        return 0


LOCK = Lock()


class Transport:
    """pjmedia's part: the UDP transport, and the stream that is attached to it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []
        self.errors: list[int] = []
        self._attached: Attachment | None = None
        self.is_destroyed = False
        own = (
            Sends(self._send),
            Attaches(self._attach),
            Detaches(self._detach),
            Destroys(self._destroy),
            Starts(self._start),
        )
        table = Words()
        for at, function in zip((SEND, ATTACH, DETACH, DESTROY, START), own, strict=True):
            table[at] = ctypes.cast(function, ctypes.c_void_p)
        self._on_rtp, self._on_rtcp = OnRtp(self._rtp_arrived), OnRtcp(self._rtcp_arrived)
        self.reported_to: list[int] = []
        self.last_report = b""
        self.structure = Structure(b"udp", 0, ctypes.pointer(table), None, GROUP)
        self.address = ctypes.addressof(self.structure)
        self._kept = own, table

    def _send(self, transport: int, packet: int, size: int) -> int:
        assert transport == self.address
        self.sent.append(ctypes.string_at(packet, size))
        return 0

    def _attach(self, transport: int, attachment: int) -> int:
        self._attached = Attachment.from_buffer_copy(Attachment.from_address(attachment))
        return 0

    def _detach(self, transport: int, stream: int) -> None:
        assert self._attached is not None
        assert stream == self._attached.user_data  # pj_assert in transport_udp.c
        if self.last_report:  # under way when it was asked to detach: it waits until that has been taken
            self.reports(self.last_report)
        self._attached = None

    def _destroy(self, transport: int) -> int:
        assert transport == self.address
        self.is_destroyed = True
        return 7

    def _start(self, *given: int) -> int:
        LOCK.done.append(("start", given[-1]))
        assert given == (self.address, 1, 2, 3, 4)
        return 5

    def start(self) -> int:
        return int(Starts(self.structure.functions.contents[START])(self.address, 1, 2, 3, 4))

    def destroy(self) -> None:
        assert Destroys(self.structure.functions.contents[DESTROY])(self.address) == 7

    def _rtcp_arrived(self, stream: int, packet: int, size: int) -> None:
        self.reported_to.append(stream)

    def _rtp_arrived(self, arrival: int) -> None:
        given = Arrival.from_address(arrival)
        assert given.user_data == STREAM
        if given.size < 0:
            self.errors.append(given.size)
        else:
            self.heard.append(ctypes.string_at(given.packet, given.size))
        given.switch = int(given.source is not None)  # as the stream asks for when the source is another than the SDP's

    def attach(self, end: bytes) -> None:
        asked = Attachment(rtp_address=(ctypes.c_uint8 * 28)(*end), user_data=STREAM)
        asked.on_rtp = ctypes.cast(self._on_rtp, ctypes.c_void_p)
        asked.on_rtcp = ctypes.cast(self._on_rtcp, ctypes.c_void_p)
        Attaches(self.structure.functions.contents[ATTACH])(self.address, ctypes.addressof(asked))

    def detach(self) -> None:
        Detaches(self.structure.functions.contents[DETACH])(self.address, STREAM)

    def arrives(self, packet: bytes, source: bytes) -> None:
        kept = ctypes.create_string_buffer(packet, len(packet)), ctypes.create_string_buffer(source, 28)
        self._calls(ctypes.addressof(kept[0]), len(packet), ctypes.addressof(kept[1]))

    def reports(self, packet: bytes) -> None:
        assert self._attached is not None
        kept = ctypes.create_string_buffer(packet, len(packet))
        OnRtcp(self._attached.on_rtcp)(self._attached.user_data, ctypes.addressof(kept), len(packet))

    def fails(self) -> None:
        self._calls(None, -1, None)

    def _calls(self, packet: int | None, size: int, source: int | None) -> None:
        assert self._attached is not None
        arrival = Arrival(self._attached.user_data, packet, size, source)
        OnRtp(self._attached.on_rtp)(ctypes.addressof(arrival))
        assert arrival.switch == 0
        assert arrival.user_data == self._attached.user_data

    def sends(self, packet: bytes) -> None:
        kept = ctypes.create_string_buffer(packet, len(packet))
        function = Sends(self.structure.functions.contents[SEND])
        assert function(self.address, ctypes.addressof(kept), len(packet)) == 0


class Call:
    """A tapped transport."""

    def __init__(self, directory: Path, end: tuple[str, int]) -> None:
        self.transport, self.known, self.taps = Transport(), Known(), Taps(LOCK.places)
        self._path = directory / f"{time.monotonic_ns()}.rtp.gz"
        self.reports: list[tuple[int, int, int | None]] = []  # by whom, of packets sent, and received
        log = RtpLog(self._path)
        self.tap: Tap = self.taps.put(
            self.transport.address, log, self.known, lambda *said: self.reports.append(said[:3])
        )
        self.transport.attach(sockaddr(*end))

    def logged(self) -> tuple[list[tuple[Address, bytes]], list[bytes]]:
        """What came and from where, and what left."""
        self.tap.close()
        packets = list(read(self._path))
        came = [((p.source[0].packed, p.source[1]), p.octets) for p in packets if p.source]
        return came, [p.octets for p in packets if not p.source]

    def times(self) -> list[float]:
        self.tap.close()
        return [packet.at for packet in read(self._path)]


END, OTHER_PORT, STRANGER = ("127.0.0.9", 4000), ("127.0.0.9", 4002), ("127.0.0.66", 4000)
END_6, OTHER_6, STRANGER_6 = ("2001:db8::1", 4000), ("2001:db8::1", 4002), ("2001:db8::2", 4000)
PLACES = {"v4": (END, OTHER_PORT, STRANGER), "v6": (END_6, OTHER_6, STRANGER_6)}


def rtp(sequence: int, size: int = 172, kind: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, 160 * sequence, 7).ljust(size, b"\x5a")


def packets() -> st.SearchStrategy[bytes]:
    sized = st.builds(rtp, st.integers(0, 65535), st.integers(12, 1500), st.sampled_from([0, 8, 101, 128]))
    report = st.just(struct.pack("!BBHI", 0x80, 201, 1, 7))
    return sized | report | st.binary(min_size=1, max_size=40)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("taps")


@given(
    family=st.sampled_from(sorted(PLACES)),
    doings=st.lists(st.tuples(st.sampled_from([0, 1, 2, "send", "look"]), packets()), max_size=60),
)
def test_all_that_passes_is_logged_in_order_and_only_what_belongs_is_heard(
    family: str, doings: list[tuple[int | str, bytes]], scratch: Path
) -> None:
    call = Call(scratch, PLACES[family][0])
    came, heard, left = [], [], []
    for what, packet in doings:
        if what == "send":
            call.transport.sends(packet)
            left.append(packet)
        elif what == "look":
            call.tap.look()
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


def test_more_than_finds_room_is_logged_as_well(scratch: Path) -> None:
    """Nobody looks for so long that the rings are full: then Python takes what comes."""
    call = Call(scratch, END)
    stream = [rtp(number, 172 + number % 9) for number in range(3 * RING_OCTETS // 172)]
    for packet in stream:
        call.transport.arrives(packet, sockaddr(*END))
        call.transport.sends(packet)
    assert call.transport.heard == call.transport.sent == stream
    assert call.logged() == ([(address(*END), packet) for packet in stream], stream)


def test_times_are_those_of_the_crossing(scratch: Path) -> None:
    call = Call(scratch, END)
    call.transport.arrives(rtp(0), sockaddr(*END))
    before = time.monotonic()
    call.transport.arrives(rtp(1), sockaddr(*END))
    call.transport.sends(rtp(2))
    after = time.monotonic()
    first, *others = call.times()
    assert first < before <= min(others) <= max(others) <= after


def test_what_two_threads_send_while_another_looks(scratch: Path) -> None:
    """The audio clock's, and who hangs up amid a digit: pjmedia sends its end at once."""
    call = Call(scratch, END)
    streams = [[rtp(number, 40 + number % 150, kind) for number in range(5000)] for kind in (0, 101)]

    def send(stream: list[bytes]) -> None:
        for packet in stream:
            call.transport.sends(packet)

    senders = [threading.Thread(target=send, args=(stream,)) for stream in streams]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        call.tap.look()
    logged = call.logged()[1]
    assert [[packet for packet in logged if packet[1] == kind] for kind in (0, 101)] == streams


def test_figures_are_those_of_one_moment(scratch: Path) -> None:
    """Packets that want a decision are counted in the media's thread, while the main thread tells what there is."""
    call = Call(scratch, END)
    others = [END, (END[0], END[1] + 1)]  # another source each time: none is put aside
    stream = [rtp(number, 40, number // 50 % 64) for number in range(20_000)]

    def arrive() -> None:
        for number, packet in enumerate(stream):
            call.transport.arrives(packet, sockaddr(*others[number % 2]))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        media = threading.Thread(target=arrive)
        media.start()
        told = []
        while media.is_alive():
            with call.tap.reception() as reception:
                told.append(reception.counts(0))
        media.join()
    finally:
        sys.setswitchinterval(before)
    assert len(told) > 100
    assert {figures["rx_lost"] for figures in told} == {0}
    assert told[-1]["rx_other_type"] > 10_000


def test_a_report_that_comes_while_the_stream_is_taken_off_is_that_stream_s(scratch: Path) -> None:
    """A far end that hangs up says so in RTCP, too; a stream of none ended the process."""
    call = Call(scratch, END)
    call.transport.last_report = struct.pack("!BBHI", 0x80, 203, 1, 7)
    call.transport.detach()
    assert call.transport.reported_to == [STREAM]


def test_the_next_stream_counts_anew_and_its_source_is_asked_for_again(scratch: Path) -> None:
    call = Call(scratch, END)
    for number in range(5):
        call.transport.arrives(rtp(number), sockaddr(*END))
    call.transport.detach()
    call.transport.attach(sockaddr("127.0.0.10", 4000))
    call.transport.arrives(rtp(100), sockaddr("127.0.0.10", 4000))
    with call.tap.reception() as reception:
        assert (reception.lost, reception.sources) == (0, 1)
    assert [source for source, _ in call.logged()[0]] == [address(*END)] * 5 + [address("127.0.0.10", 4000)]


def test_a_socket_s_error_goes_to_the_stream(scratch: Path) -> None:
    """pjmedia tells of it by a size below zero."""
    call = Call(scratch, END)
    call.transport.fails()
    assert call.transport.errors == [-1]
    assert call.logged() == ([], [])


def test_a_report_on_the_port_of_rtp_is_read(scratch: Path) -> None:
    """RFC 5761; from where RTP is put aside, too."""
    call = Call(scratch, END)
    for number in range(10):
        call.transport.sends(rtp(number))
    call.transport.arrives(rtp(0), sockaddr(*END))
    block = struct.pack("!IBBHIIII", 7, 0, 0, 1, 8, 0, 0, 0)  # of our source, one lost, 8 the highest
    call.transport.arrives(struct.pack("!BBHI", 0x81, 201, 7, 9) + block, sockaddr(*END))
    assert call.reports == [(9, 10, 8)]


def put(taps: Taps, transport: Transport, directory: Path) -> weakref.ref[Tap]:
    return weakref.ref(taps.put(transport.address, RtpLog(directory / "x.rtp.gz"), Known(), lambda *_: None))


def test_a_transport_that_is_gone_is_forgotten_but_not_at_once(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call has one of its own, with 64 kB for its packets, mostly where none was before."""
    taps, transports = Taps(LOCK.places), [Transport() for _ in range(3)]
    first = put(taps, transports[0], scratch)
    lasting = put(taps, transports[1], scratch)
    transports[0].destroy()
    assert transports[0].is_destroyed
    put(taps, transports[2], scratch)
    assert first() is not None  # a thread may still be inside its functions
    monkeypatch.setattr("harness.phone.child.taps._LINGERS_S", 0.0)
    put(taps, Transport(), scratch)
    gc.collect()
    assert first() is None
    assert lasting() is not None
    transports[1].sends(rtp(1))
    assert transports[1].sent == [rtp(1)]


def test_a_transport_starts_under_its_lock(scratch: Path) -> None:
    """What arrives meanwhile waits: pjproject would never read on (``tests/process/phone/test_early_rtp.py``)."""
    call = Call(scratch, END)
    LOCK.done.clear()
    assert call.transport.start() == 5
    assert LOCK.done == [("acquire", GROUP), ("start", 4), ("release", GROUP)]
