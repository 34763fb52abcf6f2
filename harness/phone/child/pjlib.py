"""Structures and memory pools of pjlib (pjproject 2.15, public headers)."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

pointer: Final = ctypes.c_void_p
_OCTETS: Final = 4096  # initial size and increment


class Text(ctypes.Structure):
    """``pj_str_t``."""

    _fields_ = (("ptr", ctypes.c_char_p), ("slen", ctypes.c_ssize_t))

    @property
    def octets(self) -> bytes:
        """Its content, which has no terminating zero."""
        return ctypes.string_at(pointer.from_buffer(self).value or 0, self.slen)


class SocketAddress(ctypes.Structure):
    """``pj_sockaddr``, laid out as the system's ``sockaddr_in6``, which is longer than its
    ``sockaddr_in``.
    """

    _fields_ = (("octets", ctypes.c_uint8 * 28),)


def address_of(octets: bytes) -> tuple[bytes, int]:
    """The packed address and the port of a ``pj_sockaddr``."""
    (family,), (port,) = struct.unpack_from("=H", octets), struct.unpack_from("!H", octets, 2)
    return (octets[8:24] if family == socket.AF_INET6 else octets[4:8]), port


def lasting_pool(library: ctypes.CDLL, name: bytes) -> int:
    """A pool (``pj_pool_t *``) that lasts as long as the process."""
    library.pjsua_pool_create.restype = ctypes.c_void_p
    library.pjsua_pool_create.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t)
    pool: int = library.pjsua_pool_create(name, _OCTETS, _OCTETS)
    return pool
