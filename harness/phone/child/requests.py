"""Sees each received message before pjsua's log and pjsip's transactions and dialogs, and reads it
once.

Requests are, as ``admission`` decides, passed, answered or dropped; headers and SDP that pjsip mishandles are rewritten in
pjsip's memory. This is a ``pjsip_module``. The structures are those of the public headers
(pjproject 2.15), as far as they are used; the packet size of the build (``PJSIP_MAX_PKT_LEN``) is
detected with the first message.
"""

from __future__ import annotations

import ctypes
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from harness.phone.child import header_rewrites, sdp
from harness.phone.child.admission import (
    BAD_INFO_PACKAGE,
    BUSY_HERE,
    DROP,
    NOT_ALLOWED,
    OK,
    PASS,
    UNSUPPORTED_MEDIA_TYPE,
    Admission,
)
from harness.phone.child.digits import DIGIT_TYPES
from harness.phone.child.messages import WireMessage, read_text
from harness.phone.child.pjlib import SocketAddress, Text, address_of, lasting_pool, pointer
from harness.phone.child.socket_limits import SocketName

_NAME: Final = b"mod-harness"
_PRIORITY: Final = 4  # pjsua logs messages with priority 7

_RETRY_AFTER_S: Final = b"1"
_ACCEPT, _ALLOW, _SUPPORTED = 0, 4, 36  # PJSIP_H_ACCEPT, PJSIP_H_ALLOW, PJSIP_H_SUPPORTED
_CHALLENGING: Final = (401, 407)
_CHALLENGES: Final = (b"WWW-Authenticate", b"Proxy-Authenticate")
_LONGEST_HEADER: Final = 4000
_OUTGOING: Final = 1  # PJSIP_TP_DIR_OUTGOING
_PACKET_SIZES: Final = (4000, 8000, 16000, 32000, 64000, 65536)
#: pjsip_transport_type_e, whose IPv6 kinds are 128 more.
_TRANSPORTS: Final = {1: "udp", 2: "tcp", 3: "tls"}

_ON_MESSAGE = ctypes.CFUNCTYPE(ctypes.c_int, pointer)


class _Headers(ctypes.Structure):
    """The links of a header or header list (``pjsip_hdr``)."""

    _fields_ = (("previous", pointer), ("next", pointer))


class _Module(ctypes.Structure):
    """``pjsip_module``."""

    _fields_ = (
        *((name, pointer) for name in ("previous", "next")),
        ("name", Text),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        *((name, pointer) for name in ("load", "start", "stop", "unload")),
        ("on_rx_request", _ON_MESSAGE),
        ("on_rx_response", _ON_MESSAGE),
        *((name, pointer) for name in ("on_tx_request", "on_tx_response", "on_tsx_state")),
    )


class _HostPort(ctypes.Structure):
    """``pjsip_host_port``."""

    _fields_ = (("host", Text), ("port", ctypes.c_int))


class _Transport(ctypes.Structure):
    """``pjsip_transport``."""

    _fields_ = (
        ("name", ctypes.c_char * 32),
        *((name, pointer) for name in ("pool", "references", "lock", "group_lock")),
        *((name, ctypes.c_int) for name in ("tracing", "is_shutdown", "is_destroying")),
        ("type", ctypes.c_long),
        ("remote", SocketAddress),
        ("type_name", pointer),
        ("flag", ctypes.c_uint),
        ("info", pointer),
        ("address_length", ctypes.c_int),
        ("local", SocketAddress),
        ("local_name", _HostPort),
        ("remote_name", _HostPort),
        ("direction", ctypes.c_int),
    )


@lru_cache
def _layout(packet_size: int) -> Any:
    """``pjsip_rx_data``, from the beginning to the message. The packet is an array within it, whose
    size a build chooses.
    """

    class Received(ctypes.Structure):
        _fields_ = (
            ("pool", pointer),
            ("transport", ctypes.POINTER(_Transport)),
            ("transport_data", pointer),
            ("operation", pointer * 34),  # pj_ioqueue_op_key_t
            ("self", pointer),
            ("time", ctypes.c_long * 2),
            ("packet", ctypes.c_char * packet_size),
            ("zero", ctypes.c_uint32),
            ("length", ctypes.c_ssize_t),
            ("source", SocketAddress),
            ("source_length", ctypes.c_int),
            ("source_name", ctypes.c_char * 46),
            ("source_port", ctypes.c_int),
            ("message", pointer),
            ("message_length", ctypes.c_int),
            ("parsed", pointer),
            ("others", pointer * 8),  # info, Call-ID, From, To, Via, CSeq, Max-Forwards and Route
            ("record_route", pointer),
        )

    return Received


class MessageFilter:
    """The module; it lasts as long as the process. Raises ``OSError`` when pjsip refuses it.

    pjsip calls it for each message, before its transactions and dialogs, in the thread that serves
    every call. What it returns decides whether pjsip sees the message; what it changes, in the
    message's memory, is what pjsip sees. A defect in here is reported, and pjsip goes on with the
    message.
    """

    def __init__(
        self, library: ctypes.CDLL, admission: Admission, fault: Callable[[str], None]
    ) -> None:
        self._library = library
        self._admission = admission
        self._fault = fault
        self._bodies = sdp.SdpBodies(library)
        self._unsafe = header_rewrites.UnsafeHeaders()
        self._targets = header_rewrites.Targets()
        _declare(library)
        self._endpoint = library.pjsua_get_pjsip_endpt()
        pool = lasting_pool(library, b"headers")
        digit_types = b", ".join(map(str.encode, DIGIT_TYPES))
        #: Headers of the answers, by status.
        self._headers_of = {
            BUSY_HERE: _text_header(library, pool, b"Retry-After", _RETRY_AFTER_S),
            OK: _capabilities(library, self._endpoint, pool, _ACCEPT, _ALLOW, _SUPPORTED),
            NOT_ALLOWED: _capabilities(library, self._endpoint, pool, _ALLOW),
            UNSUPPORTED_MEDIA_TYPE: _text_header(library, pool, b"Accept", digit_types),
            BAD_INFO_PACKAGE: _text_header(library, pool, b"Recv-Info", b""),
        }
        self._layout: Any = None
        self._module = _Module(
            name=Text(_NAME, len(_NAME)),
            id=-1,
            priority=_PRIORITY,
            on_rx_request=_ON_MESSAGE(self._on_request),
            on_rx_response=_ON_MESSAGE(self._on_response),
        )
        status = library.pjsip_endpt_register_module(self._endpoint, ctypes.byref(self._module))
        if status != 0:
            raise OSError(f"pjsip refused the module {_NAME.decode()} (pjlib status {status})")

    def _on_request(self, address: int) -> int:
        """Returns whether the request was handled, so that pjsip must ignore it."""
        try:
            received = self._at(address)
            message = _read(received)
            body = self._bodies.octets(received.parsed)
            transport = received.transport.contents
            local = SocketName(*_place(transport.local))
            ours = transport.direction == _OUTGOING
            code = self._admission.decide(message, local, body, ours=ours)
            if code == PASS:
                self._keep_to_transport(received, message)
                if message.method == "REFER":
                    self._spell_out(received)
                sdp.make_readable(body)
                self._admission.lets_pass(message)
        except Exception as error:
            self._fault(f"requests: {type(error).__name__}: {error}")
            return False
        if code > DROP:
            headers = None
            if code in self._headers_of:
                headers = ctypes.byref(self._headers_of[code])
            self._library.pjsip_endpt_respond_stateless(
                self._endpoint, address, code, None, headers, None
            )
        return code != PASS

    def _on_response(self, address: int) -> int:
        """Removes challenges and unsafe headers. Returns whether the response is kept back, so that
        pjsip must ignore it.
        """
        try:
            received = self._at(address)
            message = _read(received)
            self._admission.passed(message)
            if message.status in _CHALLENGING:
                self._take_out(received.parsed, message, _CHALLENGES, self._admission.withheld)
            self._take_out(received.parsed, message, header_rewrites.UNSAFE, self._unsafe.of)
            self._keep_to_transport(received, message)
            body = self._bodies.octets(received.parsed)
            sdp.make_readable(body)
            sdp.disable_names(body)
        except Exception as error:
            self._fault(f"responses: {type(error).__name__}: {error}")
        return False

    def _take_out(
        self,
        parsed: int,
        message: WireMessage,
        names: Sequence[bytes],
        which: Callable[[WireMessage, Sequence[str]], list[bool]],
    ) -> None:
        """Unlink those of the named headers that ``which`` says must go."""
        found = [header for name in names for header in self._headers(parsed, name)]
        out = which(message, [self._printed(header) for header in found])
        for header, is_out in zip(found, out, strict=True):
            if not is_out:
                continue
            links = _Headers.from_address(header)
            _Headers.from_address(links.previous).next = links.next
            _Headers.from_address(links.next).previous = links.previous

    def _keep_to_transport(self, received: Any, message: WireMessage) -> None:
        """Remove from the next hop's URI a transport that differs from the one the message came
        over.
        """
        found = []
        for name in header_rewrites.TARGETS:
            found += [(name, header) for header in self._headers(received.parsed, name)]
        printed = [self._printed(header) for _, header in found]
        rewritten = self._targets.of(message, printed)
        for (name, header), old, new in zip(found, printed, rewritten, strict=True):
            if new != old:
                self._replace(received, header, name, new.partition(":")[2])

    def _spell_out(self, received: Any) -> None:
        """Rewrite the headers of a REFER that pjsip would misread."""
        for written, name in header_rewrites.REFERRALS:
            for header in list(self._headers(received.parsed, written)):
                value = self._printed(header).partition(":")[2].strip()
                plain = header_rewrites.plain(name, value)
                if written != name or plain != value:
                    self._replace(received, header, name, plain)

    def _replace(self, received: Any, header: int, name: bytes, value: str) -> None:
        """Put a header with another value in the place of one in pjsip's list."""
        copy = self._parsed(received.pool, name, value)
        links = _Headers.from_address(header)
        copy_links = _Headers.from_address(copy)
        copy_links.previous = links.previous
        copy_links.next = links.next
        _Headers.from_address(links.previous).next = copy
        _Headers.from_address(links.next).previous = copy
        if received.record_route == header:  # pjsip's pointer to the first one
            received.record_route = copy

    def _parsed(self, pool: int, name: bytes, value: str) -> Any:
        """A header that pjsip has parsed, in its own memory: it lives as long as the message."""
        octets = value.strip().encode("utf-8", "surrogateescape")
        text = Text(octets, len(octets))
        line = Text()
        self._library.pj_strdup_with_null(pool, ctypes.byref(line), ctypes.byref(text))
        kind = Text(name, len(name))
        return self._library.pjsip_parse_hdr(
            pool, ctypes.byref(kind), pointer.from_buffer(line), line.slen, None
        )

    def _headers(self, parsed: int, name: bytes) -> Iterator[int]:
        """The headers of that name. The next one is found behind the last one, which therefore has
        to stay in the list until then.
        """
        find = self._library.pjsip_msg_find_hdr_by_name
        wanted = Text(name, len(name))
        header = find(parsed, ctypes.byref(wanted), None)
        while header:
            yield header
            behind = _Headers.from_address(header).next
            header = find(parsed, ctypes.byref(wanted), behind)

    def _printed(self, header: int) -> str:
        room = ctypes.create_string_buffer(_LONGEST_HEADER)
        length = max(0, self._library.pjsip_hdr_print_on(header, room, _LONGEST_HEADER))
        return room.raw[:length].decode("utf-8", "surrogateescape")

    def _at(self, address: int) -> Any:
        if self._layout is None:
            self._layout = _fitting(address)
        return self._layout.from_address(address)


def _declare(library: ctypes.CDLL) -> None:
    """Tell ctypes the types of pjsip's functions that are called here."""
    text = ctypes.POINTER(Text)
    library.pjsip_msg_find_hdr_by_name.restype = pointer
    library.pjsip_msg_find_hdr_by_name.argtypes = (pointer, text, pointer)
    library.pjsip_hdr_print_on.argtypes = (pointer, ctypes.c_char_p, ctypes.c_size_t)
    library.pjsip_parse_hdr.restype = pointer
    library.pjsip_parse_hdr.argtypes = (pointer, text, pointer, ctypes.c_size_t, pointer)
    library.pj_strdup_with_null.argtypes = (pointer, text, text)
    library.pjsua_get_pjsip_endpt.restype = pointer
    library.pjsip_endpt_register_module.argtypes = (pointer, ctypes.POINTER(_Module))
    library.pjsip_endpt_respond_stateless.argtypes = (
        pointer,
        pointer,
        ctypes.c_int,
        pointer,
        pointer,
        pointer,
    )
    library.pjsip_generic_string_hdr_create.restype = pointer
    library.pjsip_generic_string_hdr_create.argtypes = (pointer, text, text)
    library.pjsip_endpt_get_capability.restype = pointer
    library.pjsip_endpt_get_capability.argtypes = (pointer, ctypes.c_int, pointer)
    library.pjsip_hdr_clone.restype = pointer
    library.pjsip_hdr_clone.argtypes = (pointer, pointer)


def _read(received: Any) -> WireMessage:
    host, port = _place(received.source)
    octets = ctypes.string_at(received.message, received.message_length)
    return read_text(
        octets.decode("utf-8", "surrogateescape"),
        direction="received",
        transport=_TRANSPORTS.get(received.transport.contents.type % 128, ""),
        remote=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
    )


def _text_header(library: ctypes.CDLL, pool: int, name: bytes, value: bytes) -> _Headers:
    texts = [ctypes.byref(Text(text, len(text))) for text in (name, value)]
    return _linked([library.pjsip_generic_string_hdr_create(pool, *texts)])


def _capabilities(library: ctypes.CDLL, endpoint: int, pool: int, *kinds: int) -> _Headers:
    """Copies, because pjsip's own headers are in its own list."""
    found = (library.pjsip_endpt_get_capability(endpoint, kind, None) for kind in kinds)
    return _linked([library.pjsip_hdr_clone(pool, header) for header in found if header])


def _linked(headers: Sequence[int]) -> _Headers:
    """A header list; pjsip copies its headers into each answer."""
    head = _Headers()
    ring = [ctypes.addressof(head), *headers]
    for index, address in enumerate(ring):
        links = _Headers.from_address(address)
        links.previous = ring[index - 1]
        links.next = ring[(index + 1) % len(ring)]
    return head


def _fitting(address: int) -> Any:
    """The layout in which the message lies within the zero-terminated packet."""
    for size in _PACKET_SIZES:
        layout = _layout(size)
        received = layout.from_address(address)
        begin = address + layout.packet.offset
        if received.zero == 0 and received.message and begin <= received.message < begin + size:
            return layout
    raise OSError("pjsip_rx_data of this pjsua2 build differs from pjproject 2.15")


def _place(address: SocketAddress) -> tuple[str, int]:
    host, port = address_of(bytes(address))
    return str(ipaddress.ip_address(host)), port
