"""Session descriptions: which offers can be answered, and what of SDP pjsip (2.15.1) must not see.

- Within a call, pjsip refuses an offer that it cannot answer with 500, after it has begun to change the media.
- With SRTP, an unknown profile (``UDP/TLS/RTP/SAVP``, RFC 5764) aborts the process.
- With several audio sections, pjsip may answer one with the port of another.
- pjsip ignores the master key identifier of a key (RFC 4568 section 6.1), so that no packet can be decrypted.
- pjsip negotiates telephone-event in any case, but sends it only if the name is in lower case.
- pjmedia resolves a host name (RFC 4566 section 5.7, RFC 3605) in the thread that serves every call.

So audio that the phone cannot use gets port zero (RFC 3264 section 6) in the SDP that pjsip sees, keys with an MKI are renamed, and a
message with a host name is kept until the name is resolved, and then passed on with the address; meanwhile the sender retransmits it.
"""

from __future__ import annotations

import ctypes
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from harness.phone.child.messages import WireMessage
from harness.phone.child.pjlib import pointer
from harness.sip.sdp import Codec, Crypto, Description, Line, Media, SdpError

#: Codecs whose RTP clock is not their sampling rate (RFC 3551 section 4.5.2).
_RTP_CLOCKS = {"G722": 8000}
_PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
_SDES: Final = ("RTP/SAVP", "RTP/SAVPF")
_SECTION: Final = re.compile(rb"^m=[^ \t\r\n]+[ \t]+([0-9]+)(?:(?!^m=).)*", re.MULTILINE | re.DOTALL)
#: Audio with a profile that may abort pjsip.
_UNKNOWN: Final = re.compile(rb"^m=audio[ \t]+([0-9]+)\S*[ \t]+(?!RTP/S?AVPF?[ \t])", re.MULTILINE | re.IGNORECASE)
_KEY: Final = re.compile(rb"^a=(crypto):([^\r\n]*)", re.MULTILINE)
_EVENTS: Final = re.compile(rb"^a=rtpmap:[0-9]+[ \t]+(telephone-event)/", re.MULTILINE | re.IGNORECASE)
_LEFT_OUT: Final = b"x-left"  # replaces "crypto"


def codec_of(name: str) -> Codec:
    """The codec of a pjmedia name such as ``PCMU/8000/1``."""
    encoding, rate, channels = name.split("/")[:3]
    return Codec(encoding, _RTP_CLOCKS.get(encoding.upper(), int(rate)), channels=int(channels))


def has_answer(offer: str, own: Sequence[Codec]) -> bool:
    """Whether ``offer`` has audio in one of ``own``, or disables all media; else it must be refused (RFC 3261 section 14.2).

    True for SDP that cannot be parsed, so that pjsip decides.
    """
    try:
        media = Description.parse(offer).media
    except SdpError:
        return True
    offered = [stream for stream in media if not stream.is_rejected]
    spoken = (codec for stream in offered if stream.kind == "audio" for codec in stream.voice)
    return not offered or any(codec.is_same(one) for codec in spoken for one in own)


def narrow(offer: memoryview, own: Sequence[Codec], srtp: str) -> str:
    """Disable, in place, audio that the phone's codecs and SRTP setting do not fit, unless none would be left.

    Returns the encryption that the stack does not support, if that is why no audio is left.
    """
    octets = bytes(offer)
    for section in _UNKNOWN.finditer(octets):
        _switch_off(offer, *section.span(1))
    try:
        whole = Description.parse(octets)
    except SdpError:
        return ""
    media = whole.media
    offered = [(at, m) for at, m in enumerate(media) if m.kind.lower() == "audio" and not m.is_rejected]
    unfit = [(at, m) for at, m in offered if not _fits(m, own, srtp)]
    unknown = [what for _, m in unfit if _is_spoken(m, own) and (what := _unknown_encryption(m, whole.lines))]
    ports = [section.span(1) for section in _SECTION.finditer(octets)]
    for at, _ in unfit if len(ports) == len(media) and len(unfit) < len(offered) else ():
        _switch_off(offer, *ports[at])
    return unknown[0] if unknown and len(unfit) == len(offered) and srtp != "off" else ""


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
        if unread and len(unread) == len(keys) and b"SAVP" in section[0].split(b"\n", 1)[0]:
            _switch_off(sdp, *section.span(1))


def _is_read(key: str) -> bool:
    """Whether pjsip can use a key; True for a key that cannot be parsed."""
    try:
        return not Crypto.parse(key).has_mki
    except SdpError:
        return True


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
    keys = section.attributes("crypto")
    # Older browsers offer RTP/SAVPF with a fingerprint only.
    signed = any(letter == "a" and value.startswith("fingerprint:") for letter, value in (*session, *section.lines))
    if "/TLS/" in section.protocol.upper() or (section.is_secure and signed and not keys):
        return "DTLS-SRTP (RFC 5764)"
    if section.is_secure and keys and not any(map(_is_read, keys)):
        return "SRTP with a master key identifier (RFC 4568 section 6.1)"
    return ""


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


_NAMED: Final = re.compile(rb"(?:^c=|^a=rtcp:\d+[ \t]+)(IN[ \t]+IP[46])[ \t]+([^\s/]+)", re.IGNORECASE | re.MULTILINE)
_TRANSACTIONS: Final = 16  # the priority of pjsip's transaction layer, where processing continues
_MOST_KEPT: Final = 64  # further messages are dropped; their senders retransmit them
_NOT_ACCEPTABLE_HERE: Final = 488  # RFC 3261 section 21.4.26


class _HandedOn(ctypes.Structure):
    """``pjsip_process_rdata_param``."""

    _fields_ = (
        ("priority", ctypes.c_uint),
        ("module", pointer),
        ("after", ctypes.c_uint),
        ("silent", ctypes.c_int),
    )


def names_in(sdp: bytes) -> set[str]:
    """The host names in the addresses of SDP."""
    return set(filter(None, map(_name, _NAMED.finditer(sdp))))


def with_addresses(sdp: bytes, found: Mapping[str, str | None]) -> bytes:
    """The SDP with an address for each name; a name without one gets an invalid address type."""

    def put(match: re.Match[bytes]) -> bytes:
        name = _name(match)
        if name is None:
            return match[0]
        head, address = match[0][: match.start(1) - match.start(0)], found.get(name)
        if address is None:
            return head + b"IN IP0 " + match[2]
        return head + f"IN IP{6 if ':' in address else 4} {address}".encode()

    return _NAMED.sub(put, sdp)


def _name(match: re.Match[bytes]) -> str | None:
    """The host name of a match; None if it is an address."""
    text = match[2].decode("utf-8", "replace")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text
    return None


@dataclass
class _Kept:
    """A message that waits for names; ``copy`` is pjsip's (``pjsip_rx_data``), whose layout is ``layout``."""

    message: WireMessage
    copy: int
    layout: Any
    names: set[str]
    found: dict[str, str | None] = field(default_factory=dict)  #: None for a name without an address


class NamedMedia:
    """Keeps messages whose SDP contains host names.

    ``look_up`` resolves a name and delivers its addresses later. ``arrives`` is called with a request that goes on.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        look_up: Callable[[str, Callable[[list[str]], None]], None],
        arrives: Callable[[WireMessage], None],
    ) -> None:
        self._library, self._look_up, self._arrives = library, look_up, arrives
        self._kept: dict[str, _Kept] = {}  # by the message's text
        library.pjsip_rx_data_clone.argtypes = (pointer, ctypes.c_uint, ctypes.POINTER(pointer))
        library.pjsip_rx_data_free_cloned.argtypes = (pointer,)
        library.pjsip_endpt_process_rx_data.argtypes = (pointer,) * 4
        library.pj_pool_alloc.restype, library.pj_pool_alloc.argtypes = pointer, (pointer, ctypes.c_size_t)
        self._endpoint = library.pjsua_get_pjsip_endpt()
        self._bodies = SdpBodies(library)

    @property
    def calls(self) -> set[str]:
        """The Call-IDs of the kept messages."""
        return {kept.message.call_id for kept in self._kept.values()}

    def waiting_for(self, name: str) -> list[WireMessage]:
        """The messages that are kept for a name."""
        return [kept.message for kept in self._kept.values() if name in kept.names - kept.found.keys()]

    def keeps(self, address: int, layout: Any, message: WireMessage, sdp: memoryview) -> bool:
        """Whether a message (``pjsip_rx_data``) was kept back because it waits for a name."""
        names = names_in(bytes(sdp)) if sdp else None
        if not names:
            return False
        if message.text in self._kept or len(self._kept) >= _MOST_KEPT:
            return True
        copy = pointer()
        if self._library.pjsip_rx_data_clone(address, 0, ctypes.byref(copy)) != 0 or copy.value is None:
            return True
        self._kept[message.text] = kept = _Kept(message, copy.value, layout, names)
        for name in sorted(names):
            self._look_up(name, partial(self._take, kept, name))
        return True

    def _take(self, kept: _Kept, name: str, addresses: list[str]) -> None:
        kept.found[name] = addresses[0] if addresses else None
        if kept.names - kept.found.keys():
            return
        message = kept.message
        del self._kept[message.text]
        if None in kept.found.values() and not message.status and message.method != "ACK":
            # A response goes on with an invalid address: pjsip acknowledges it and hangs up (RFC 3261 section 13.2.2.4).
            self._library.pjsip_endpt_respond_stateless(
                self._endpoint, kept.copy, _NOT_ACCEPTABLE_HERE, None, None, None
            )
        else:
            self._fill_in(kept)
            self._arrives(message)
            start, handled = _HandedOn(priority=_TRANSACTIONS), ctypes.c_int()
            self._library.pjsip_endpt_process_rx_data(
                self._endpoint, kept.copy, ctypes.byref(start), ctypes.byref(handled)
            )
        self._library.pjsip_rx_data_free_cloned(kept.copy)

    def _fill_in(self, kept: _Kept) -> None:
        received = kept.layout.from_address(kept.copy)
        body = self._bodies.of(received.parsed)
        assert body is not None, "the copy is parsed as the message was"
        made = with_addresses(ctypes.string_at(body.data, body.length), kept.found)
        room = self._library.pj_pool_alloc(received.pool, len(made) + 1)
        ctypes.memmove(room, made + b"\0", len(made) + 1)  # pjmedia's parser needs a terminating zero
        body.data, body.length = room, len(made)
