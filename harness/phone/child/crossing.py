"""Buffers the RTP of a media transport with its times, in C (``crossing.c``; the structures here have its layout).

:mod:`harness.phone.child.taps` processes the buffered packets, and those that the C code leaves to Python.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Final, NamedTuple

FUNCTIONS: Final = 13  #: in a ``pjmedia_transport_op`` (pjproject 2.15)
#: Of them ``get_info``, ``detach``, ``send_rtp``, ``send_rtcp``, ``send_rtcp2``, ``media_start``, ``destroy`` and ``attach2``.
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
        ("send", ctypes.c_void_p),
        ("send_aside", ctypes.c_void_p),
        ("arrive", ctypes.c_void_p),
        ("arrive_aside", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("acquire", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("stream", ctypes.c_void_p),
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


class GroupLock(NamedTuple):
    """Addresses of ``pj_grp_lock_acquire`` and ``pj_grp_lock_release``."""

    acquire: int
    release: int


class Aside(NamedTuple):
    """Addresses of Python functions. ``send`` and ``arrive`` get only packets that were not buffered."""

    send: int
    arrive: int
    detach: int
    attach: int
    destroy: int
    report: int


class Crossing:
    """Replaces a transport's functions. It must last as long as the transport."""

    def __init__(self, functions: int, aside: Aside, lock: GroupLock) -> None:
        """``functions`` is the address of the transport's original functions."""
        self._rings = tuple((ctypes.c_uint8 * RING_OCTETS)() for _ in range(2))
        self._block = block = _Block()
        block.came.octets, block.left.octets = map(ctypes.addressof, self._rings)
        self.own: list[int] = [at or 0 for at in (ctypes.c_void_p * FUNCTIONS).from_address(functions)]
        block.functions[:] = self.own
        block.functions[DETACH], block.functions[SEND], block.functions[ATTACH] = aside.detach, _SEND, aside.attach
        block.functions[START], block.functions[DESTROY], block.functions[REPORT] = _START, aside.destroy, aside.report
        block.start, block.acquire, block.release = self.own[START], *lock
        block.send, block.send_aside, block.arrive_aside = self.own[SEND], aside.send, aside.arrive

    @property
    def address(self) -> int:
        """The address of the functions; also the user data of received packets."""
        return ctypes.addressof(self._block)

    def attach(self, stream: int, on_rtp: int) -> int:
        """Pass received packets to the callback ``on_rtp`` with the user data ``stream``; returns the callback to attach."""
        self._block.stream, self._block.arrive = stream, on_rtp
        self.hear(bytes(_SOURCE_OCTETS))
        return _ARRIVE

    def hear(self, source: bytes) -> None:
        """Buffer RTP from this ``pj_sockaddr`` only. Call it in the thread that receives RTP."""
        self._block.source[:] = source[:_SOURCE_OCTETS]

    def came(self) -> bytes:
        """Take the received packets, as records for :func:`harness.phone.rtp_log.packets`. One thread at a time."""
        return _taken(self._block.came, memoryview(self._rings[0]))

    def left(self) -> bytes:
        """Take the sent packets."""
        return _taken(self._block.left, memoryview(self._rings[1]))


def _taken(ring: Any, octets: memoryview) -> bytes:
    written, read = ring.written, ring.read
    begin, kept = read % RING_OCTETS, written - read
    records = bytes(octets[begin : begin + kept])
    records += bytes(octets[: kept - len(records)])
    ring.read = written
    return records
