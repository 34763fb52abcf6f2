"""A fake of pjmedia's media transport, with its C structures and functions, and of the attached stream."""

from __future__ import annotations

import ctypes
import struct
from socket import AF_INET, AF_INET6, inet_pton

from harness.phone.child.taps import (
    ATTACH,
    DETACH,
    FUNCTIONS,
    SEND,
    START,
    GroupLock,
    place,
)
from harness.phone.rtp_log import Address

STREAM, GROUP = 0x5EED, 0x6409
END, OTHER_PORT, STRANGER = ("127.0.0.9", 4000), ("127.0.0.9", 4002), ("127.0.0.66", 4000)
END_6, OTHER_6, STRANGER_6 = ("2001:db8::1", 4000), ("2001:db8::1", 4002), ("2001:db8::2", 4000)
Words = ctypes.c_void_p * FUNCTIONS
Sends = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
Attaches = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
Detaches = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
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
    """A fake of pjlib's group locks, which lists the calls in order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self._functions = (
            Locks(lambda lock: self._note("acquire", lock)),
            Locks(lambda lock: self._note("release", lock)),
        )
        self.places: GroupLock = (place(self._functions[0]), place(self._functions[1]))

    def _note(self, what: str, lock: int) -> int:
        self.done.append((what, lock))
        return 0


LOCK = Lock()


class Transport:
    """pjmedia's part: the UDP transport, and the stream that is attached to it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []
        self._attached: Attachment | None = None
        own = (
            Sends(self._send),
            Attaches(self._attach),
            Detaches(self._detach),
            Starts(self._start),
        )
        table = Words()
        for at, function in zip((SEND, ATTACH, DETACH, START), own, strict=True):
            table[at] = ctypes.cast(function, ctypes.c_void_p)
        self._on_rtp, self._on_rtcp = OnRtp(self._rtp_arrived), OnRtcp(self._rtcp_arrived)
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
        self._attached = None

    def _start(self, *given: int) -> int:
        LOCK.done.append(("start", given[-1]))
        assert given == (self.address, 1, 2, 3, 4)
        return 5

    def start(self) -> int:
        return int(Starts(self.structure.functions.contents[START])(self.address, 1, 2, 3, 4))

    def _rtcp_arrived(self, stream: int, packet: int, size: int) -> None:
        pass

    def _rtp_arrived(self, arrival: int) -> None:
        given = Arrival.from_address(arrival)
        assert given.user_data == STREAM
        self.heard.append(ctypes.string_at(given.packet, given.size))
        given.switch = int(given.source is not None)  # as the stream asks for when the source is another than the SDP's

    def attach(self, end: bytes) -> None:
        asked = Attachment(rtp_address=(ctypes.c_uint8 * 28)(*end), user_data=STREAM)
        asked.address_length = 16
        asked.on_rtp = ctypes.cast(self._on_rtp, ctypes.c_void_p)
        asked.on_rtcp = ctypes.cast(self._on_rtcp, ctypes.c_void_p)
        Attaches(self.structure.functions.contents[ATTACH])(self.address, ctypes.addressof(asked))

    def detach(self) -> None:
        Detaches(self.structure.functions.contents[DETACH])(self.address, STREAM)

    def arrives(self, packet: bytes, source: bytes) -> None:
        kept = ctypes.create_string_buffer(packet, len(packet)), ctypes.create_string_buffer(source, 28)
        self._calls(ctypes.addressof(kept[0]), len(packet), ctypes.addressof(kept[1]))

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
