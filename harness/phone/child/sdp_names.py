"""Resolves host names in received SDP outside of pjsip's thread, before pjmedia reads it.

A connection address may be a host name (RFC 4566 section 5.7), and so may the address of ``a=rtcp`` (RFC 3605). pjmedia would resolve
it in the thread that serves every call. So the message is kept until the name is resolved, and then passed on with the address;
meanwhile the sender retransmits it. A request with an unknown name gets 488; a response is passed on without a usable address, and
pjsip acknowledges it and hangs up (RFC 3261 section 13.2.2.4).
"""

from __future__ import annotations

import ctypes
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from harness.phone.child.sdp_bodies import SdpBodies
from harness.phone.child.sip_log import LoggedMessage, read_text

_NAMED: Final = re.compile(rb"(?:\nc=|\na=rtcp:\d+[ \t]+)(IN[ \t]+IP[46])[ \t]+([^\s/]+)", re.IGNORECASE)
_TRANSACTIONS: Final = 16  # the priority of pjsip's transaction layer, where processing continues
_MOST_KEPT: Final = 64  # further messages are dropped; their senders retransmit them
_NOWHERE: Final = "IP0"  # an invalid address type, for a name without an address
_REQUEST_TERMINATED: Final = 487
_NOT_ACCEPTABLE_HERE: Final = 488  # RFC 3261 section 21.4.26

_pointer = ctypes.c_void_p


class _HandedOn(ctypes.Structure):
    """``pjsip_process_rdata_param``."""

    _fields_ = (
        ("priority", ctypes.c_uint),
        ("module", _pointer),
        ("after", ctypes.c_uint),
        ("silent", ctypes.c_int),
    )


def names_in(text: bytes) -> set[str]:
    """The host names in the addresses of SDP."""
    return set(filter(None, map(_name, _NAMED.finditer(text))))


def with_addresses(body: bytes, found: Mapping[str, str | None]) -> bytes:
    """The SDP with an address for each name; a name without one gets an invalid address type."""

    def put(match: re.Match[bytes]) -> bytes:
        name = _name(match)
        if name is None:
            return match[0]
        head, address = match[0][: match.start(1) - match.start(0)], found.get(name)
        if address is None:
            return head + f"IN {_NOWHERE} ".encode() + match[2]
        return head + f"IN IP{6 if ':' in address else 4} {address}".encode()

    return _NAMED.sub(put, body)


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
    """A message that waits for names; ``copy`` is pjsip's (``pjsip_rx_data``)."""

    text: bytes
    message: LoggedMessage
    copy: int
    names: set[str]
    found: dict[str, str | None] = field(default_factory=dict)  #: None for a name without an address

    @property
    def missing(self) -> set[str]:
        """The names that are not resolved yet."""
        return self.names - self.found.keys()


def _octets(body: Any) -> bytes:
    """The body, preceded by a line break."""
    return b"\n" + ctypes.string_at(body.data, body.length)


class NamedMedia:
    """Keeps messages whose SDP contains host names. ``look_up`` resolves a name and delivers its addresses later."""

    def __init__(self, library: ctypes.CDLL, look_up: Callable[[str, Callable[[list[str]], None]], None]) -> None:
        self._library, self._look_up = library, look_up
        self._kept: dict[bytes, _Kept] = {}
        library.pjsip_rx_data_clone.argtypes = (_pointer, ctypes.c_uint, ctypes.POINTER(_pointer))
        library.pjsip_rx_data_free_cloned.argtypes = (_pointer,)
        library.pjsip_endpt_process_rx_data.argtypes = (_pointer,) * 4
        library.pj_pool_alloc.restype, library.pj_pool_alloc.argtypes = _pointer, (_pointer, ctypes.c_size_t)
        self._endpoint = library.pjsua_get_pjsip_endpt()
        self._layout: Any = None
        self._bodies = SdpBodies(library)

    @property
    def calls(self) -> set[str]:
        """The Call-IDs of the kept messages."""
        return {kept.message.call_id for kept in self._kept.values()}

    def waiting_for(self, name: str) -> list[LoggedMessage]:
        """The messages that are kept for a name."""
        return [kept.message for kept in self._kept.values() if name in kept.missing]

    def keeps(self, address: int, layout: Any) -> bool:
        """Whether a message (``pjsip_rx_data``) was kept back because it waits for a name."""
        received = layout.from_address(address)
        text = ctypes.string_at(received.message, received.message_length)
        if text.startswith(b"CANCEL ") and self._kept:
            self._cancel(text)
        # The whole text is searched first, because hardly any message contains a host name.
        body = self._bodies.of(received.parsed) if names_in(text) else None
        names = names_in(_octets(body)) if body is not None else None
        if not names:
            return False
        if text in self._kept or len(self._kept) >= _MOST_KEPT:
            return True
        copy = _pointer()
        if self._library.pjsip_rx_data_clone(address, 0, ctypes.byref(copy)) != 0 or copy.value is None:
            return True
        self._layout = layout
        message = read_text(text.decode("utf-8", "surrogateescape"), direction="received")
        self._kept[text] = kept = _Kept(text, message, copy.value, names)
        for name in sorted(names):
            self._look_up(name, partial(self._take, kept, name))
        return True

    def _take(self, kept: _Kept, name: str, addresses: list[str]) -> None:
        kept.found[name] = addresses[0] if addresses else None
        if kept.missing or self._kept.pop(kept.text, None) is None:
            return
        if None in kept.found.values() and not kept.message.status and kept.message.method != "ACK":
            self._refuse(kept, _NOT_ACCEPTABLE_HERE)
            return
        self._fill_in(kept)
        start = _HandedOn(priority=_TRANSACTIONS)
        handled = ctypes.c_int()
        self._library.pjsip_endpt_process_rx_data(self._endpoint, kept.copy, ctypes.byref(start), ctypes.byref(handled))
        self._library.pjsip_rx_data_free_cloned(kept.copy)

    def _fill_in(self, kept: _Kept) -> None:
        received = self._layout.from_address(kept.copy)
        body = self._bodies.of(received.parsed)
        assert body is not None, "the copy is parsed as the message was"
        made = with_addresses(_octets(body), kept.found)[1:]
        room = self._library.pj_pool_alloc(received.pool, len(made) + 1)
        ctypes.memmove(room, made + b"\0", len(made) + 1)  # pjmedia's parser needs a terminating zero
        body.data, body.length = room, len(made)

    def _cancel(self, text: bytes) -> None:
        """Answer a kept INVITE that is cancelled with 487 (RFC 3261 section 9.2)."""
        cancel = read_text(text.decode("utf-8", "surrogateescape"), direction="received")
        for kept in list(self._kept.values()):
            if kept.message.begins_call and kept.message.call_id == cancel.call_id:
                del self._kept[kept.text]
                self._refuse(kept, _REQUEST_TERMINATED)

    def _refuse(self, kept: _Kept, status: int) -> None:
        self._library.pjsip_endpt_respond_stateless(self._endpoint, kept.copy, status, None, None, None)
        self._library.pjsip_rx_data_free_cloned(kept.copy)
