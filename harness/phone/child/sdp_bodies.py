"""The session description that a message brings, as pjsip has it (pjproject 2.15, public headers)."""

from __future__ import annotations

import ctypes
from typing import Any, Final

_SDP: Final = (b"application", b"sdp")  # pjsip keeps no copies of these

_pointer = ctypes.c_void_p


class _MediaType(ctypes.Structure):
    """``pjsip_media_type``: two ``pj_str_t``, and parameters."""

    _fields_ = (("type", _pointer), ("type_length", ctypes.c_ssize_t), ("rest", ctypes.c_uint8 * 64))


class _Body(ctypes.Structure):
    """``pjsip_msg_body``, as far as its octets."""

    _fields_ = (("type", _MediaType), ("data", _pointer), ("length", ctypes.c_uint))


class _Part(ctypes.Structure):
    """``pjsip_multipart_part``: links, headers, and what it holds."""

    _fields_ = (("head", ctypes.c_uint8 * 80), ("body", ctypes.POINTER(_Body)))


class _Message(ctypes.Structure):
    """``pjsip_msg``."""

    _fields_ = (("head", ctypes.c_uint8 * 104), ("body", ctypes.POINTER(_Body)))


class SdpBodies:
    """Finds them in messages (``pjsip_msg``)."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.pjsip_media_type_init2.argtypes = (_pointer, ctypes.c_char_p, ctypes.c_char_p)
        library.pjsip_multipart_find_part.restype = _pointer
        library.pjsip_multipart_find_part.argtypes = (_pointer,) * 3
        self._sdp = _MediaType()
        library.pjsip_media_type_init2(ctypes.byref(self._sdp), *_SDP)

    def of(self, message: int) -> Any:
        """The body that pjsip takes for SDP: its only one, or the first such part of several (RFC 5621 section 3.1); None without."""
        whole = _Message.from_address(message).body
        if not whole:
            return None
        kind = whole.contents.type
        if ctypes.string_at(kind.type, kind.type_length).lower() != b"multipart":
            return whole.contents
        part = self._library.pjsip_multipart_find_part(whole, ctypes.byref(self._sdp), None)
        return _Part.from_address(part).body.contents if part else None

    def octets(self, message: int) -> memoryview:
        """Its octets, to be read and written in place; none without."""
        body = self.of(message)
        if body is None or not body.data:
            return memoryview(b"")
        return memoryview((ctypes.c_char * body.length).from_address(body.data)).cast("B")
