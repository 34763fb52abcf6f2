"""Session descriptions: which offers can be answered, and what of SDP pjsip (2.15.1) must not see.

- Within a call, pjsip refuses an offer that it cannot answer with 500, after it has begun to change the media.
- With SRTP, an unknown profile (``UDP/TLS/RTP/SAVP``, RFC 5764) aborts the process.
- With several audio sections, pjsip may answer one with the port of another.
- pjsip ignores the master key identifier of a key (RFC 4568 section 6.1), so that no packet can be decrypted.
- pjsip negotiates telephone-event in any case, but sends it only if the name is in lower case.
- pjmedia resolves a host name (RFC 4566 section 5.7, RFC 3605) in the thread that serves every call.

So audio that the phone cannot use gets port zero (RFC 3264 section 6) in the SDP that pjsip sees,
keys with an MKI are renamed, and host names get an invalid address type: the phones take addresses
only.
"""

from __future__ import annotations

import ctypes
import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from harness.phone.child.pjlib import pointer
from harness.sip.sdp import Codec, Crypto, Description, Line, Media, SdpError

#: Codecs whose RTP clock is not their sampling rate (RFC 3551 section 4.5.2).
_RTP_CLOCKS = {"G722": 8000}
_PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
_SDES: Final = ("RTP/SAVP", "RTP/SAVPF")
_SECTION: Final = re.compile(
    rb"^m=[^ \t\r\n]+[ \t]+([0-9]+)(?:(?!^m=).)*", re.MULTILINE | re.DOTALL
)
#: Audio with a profile that may abort pjsip.
_UNKNOWN: Final = re.compile(
    rb"^m=audio[ \t]+([0-9]+)\S*[ \t]+(?!RTP/S?AVPF?[ \t])", re.MULTILINE | re.IGNORECASE
)
_KEY: Final = re.compile(rb"^a=(crypto):([^\r\n]*)", re.MULTILINE)
_EVENTS: Final = re.compile(
    rb"^a=rtpmap:[0-9]+[ \t]+(telephone-event)/", re.MULTILINE | re.IGNORECASE
)
_LEFT_OUT: Final = b"x-left"  # replaces "crypto"
#: The address type and the address of media; or the attribute that names another address for RTCP.
_PLACE: Final = re.compile(
    rb"^(?:c=IN[ \t]+IP([46])|a=(rtcp):\d+[ \t]+IN[ \t]+IP[46])[ \t]+([^\s/]+)",
    re.IGNORECASE | re.MULTILINE,
)
#: Replaces "rtcp": RTCP then goes to the port above that of RTP (RFC 3550 section 11).
_NO_RTCP: Final = b"x-no"


def codec_of(name: str) -> Codec:
    """The codec of a pjmedia name such as ``PCMU/8000/1``."""
    encoding, rate, channels = name.split("/")[:3]
    return Codec(encoding, _RTP_CLOCKS.get(encoding.upper(), int(rate)), channels=int(channels))


def has_answer(offer: memoryview, own: Sequence[Codec]) -> bool:
    """Whether ``offer`` has audio in one of ``own``, or disables all media; else it must be refused
    (RFC 3261 section 14.2).

    True for SDP that cannot be parsed, so that pjsip decides.
    """
    try:
        media = Description.parse(bytes(offer)).media
    except SdpError:
        return True
    offered = [stream for stream in media if not stream.is_rejected]
    if not offered:
        return True
    return any(stream.kind == "audio" and _is_spoken(stream, own) for stream in offered)


def narrow(offer: memoryview, own: Sequence[Codec], srtp: str) -> str:
    """Disable, in place, audio that the phone's codecs and SRTP setting do not fit, unless none
    would be left.

    Returns the encryption that the stack does not support, if that is why no audio is left.
    """
    octets = bytes(offer)
    for unknown_profile in _UNKNOWN.finditer(octets):
        _switch_off(offer, *unknown_profile.span(1))
    try:
        whole = Description.parse(octets)
    except SdpError:
        return ""
    offered: list[int] = []
    unfit: list[int] = []
    for index, section in enumerate(whole.media):
        if section.kind.lower() != "audio" or section.is_rejected:
            continue
        offered.append(index)
        if not _fits(section, own, srtp):
            unfit.append(index)
    if len(unfit) < len(offered):
        ports = [found.span(1) for found in _SECTION.finditer(octets)]
        if len(ports) == len(whole.media):  # else the two readings differ, and pjsip decides
            for index in unfit:
                _switch_off(offer, *ports[index])
        return ""
    if srtp == "off":
        return ""
    for index in unfit:
        section = whole.media[index]
        unknown = _unknown_encryption(section, whole.lines)
        if unknown and _is_spoken(section, own):
            return unknown
    return ""


def make_readable(sdp: memoryview) -> None:
    """Change, in place, the parts of an offer or answer that pjsip would misread."""
    _leave_out_mki(sdp)
    for spelled in _EVENTS.finditer(bytes(sdp)):  # names are case-insensitive (RFC 4855 section 3)
        sdp[spelled.start(1) : spelled.end(1)] = spelled[1].lower()


def _leave_out_mki(sdp: memoryview) -> None:
    """Rename keys with a master key identifier, in place, and disable media without another key."""
    octets = bytes(sdp)
    for section in _SECTION.finditer(octets):
        keys = list(_KEY.finditer(octets, *section.span()))
        unread = [key for key in keys if not _is_read(key[2].decode("utf-8", "replace"))]
        for key in unread:
            sdp[key.start(1) : key.end(1)] = _LEFT_OUT
        first_line, _, _ = section[0].partition(b"\n")
        has_no_other_key = unread and len(unread) == len(keys)
        if has_no_other_key and b"SAVP" in first_line:
            _switch_off(sdp, *section.span(1))


def _is_read(key: str) -> bool:
    """Whether pjsip can use a key; True for a key that cannot be parsed."""
    try:
        return not Crypto.parse(key).has_mki
    except SdpError:
        return True


def disable_names(sdp: memoryview) -> list[str]:
    """Give each host name of media an invalid address type, in place, so that pjmedia resolves
    none; returns the names.

    An address for RTCP that is a host name is renamed, and then ignored.
    """
    names = []
    for place in _PLACE.finditer(bytes(sdp)):
        name = place[3].decode("utf-8", "replace")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            if place[1]:
                sdp[place.start(1) : place.end(1)] = b"0"
                names.append(name)
            else:
                sdp[place.start(2) : place.end(2)] = _NO_RTCP
    return names


def _switch_off(sdp: memoryview, begin: int, end: int) -> None:
    sdp[begin:end] = b"0" * (end - begin)


def _is_spoken(section: Media, own: Sequence[Codec]) -> bool:
    return any(codec.is_same(one) for codec in section.voice for one in own)


def _fits(section: Media, own: Sequence[Codec], srtp: str) -> bool:
    if not _is_spoken(section, own):
        return False
    if section.protocol.upper() in _PLAIN:
        return srtp != "mandatory"
    keys = section.attributes("crypto") if section.protocol.upper() in _SDES else ()
    return srtp != "off" and any(map(_is_read, keys))


def _unknown_encryption(section: Media, session: Sequence[Line]) -> str:
    """The encryption of an audio section that pjsip does not support; empty if it does."""
    if "/TLS/" in section.protocol.upper():
        return _DTLS
    if not section.is_secure:
        return ""
    keys = section.attributes("crypto")
    if keys:
        if any(map(_is_read, keys)):
            return ""
        return "SRTP with a master key identifier (RFC 4568 section 6.1)"
    # Older browsers offer RTP/SAVPF with a fingerprint only.
    for letter, value in (*session, *section.lines):
        if letter == "a" and value.startswith("fingerprint:"):
            return _DTLS
    return ""


_DTLS: Final = "DTLS-SRTP (RFC 5764)"
_SDP: Final = (b"application", b"sdp")  # pjsip keeps no copies of these


class _MediaType(ctypes.Structure):
    """``pjsip_media_type``: two ``pj_str_t``, and parameters."""

    _fields_ = (("type", pointer), ("type_length", ctypes.c_ssize_t), ("rest", ctypes.c_uint8 * 64))


class _Body(ctypes.Structure):
    """``pjsip_msg_body``, as far as its octets."""

    _fields_ = (("type", _MediaType), ("data", pointer), ("length", ctypes.c_uint))


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
        library.pjsip_media_type_init2.argtypes = (pointer, ctypes.c_char_p, ctypes.c_char_p)
        library.pjsip_multipart_find_part.restype = pointer
        library.pjsip_multipart_find_part.argtypes = (pointer,) * 3
        self._sdp = _MediaType()
        library.pjsip_media_type_init2(ctypes.byref(self._sdp), *_SDP)

    def octets(self, message: int) -> memoryview:
        """The octets of the body that pjsip takes for SDP, to be read and written in place; none
        without such a body.

        It is the only body, or the first such part of several (RFC 5621 section 3.1).
        """
        body = _Message.from_address(message).body
        if body:
            kind = body.contents.type
            if ctypes.string_at(kind.type, kind.type_length).lower() == b"multipart":
                part = self._library.pjsip_multipart_find_part(body, ctypes.byref(self._sdp), None)
                body = _Part.from_address(part).body if part else None
        if not body or not body.contents.data:
            return memoryview(b"")
        octets = ctypes.c_char * body.contents.length
        return memoryview(octets.from_address(body.contents.data)).cast("B")
