"""What pjsua2 has no word for, by pjproject's C functions, which the wheel exports.

Only functions and structures of the public headers are used (pjproject 2.15), and one internal function,
``pjsua_init_tpselector``.
"""

from __future__ import annotations

import ctypes
import random
import socket
import struct
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from harness.phone.child.reception import Reception
from harness.phone.rtp_log import Address, RtpLog

_TELEPHONE_EVENT_FLAG: Final = 0  # PJMEDIA_ENDPT_HAS_TELEPHONE_EVENT_FLAG
_NO_LOOP: Final = 1  # PJMEDIA_FILE_NO_LOOP
_DESTROY_SOCKET: Final = 2  # PJSIP_UDP_TRANSPORT_DESTROY_SOCKET
_SEND, _DESTROY, _ATTACH = 3, 11, 12  # send_rtp, destroy and attach2 in pjmedia_transport_op, the latter the last of it


class _Selector(ctypes.Structure):
    """``pjsip_tpselector``, as far as a UDP account fills it."""

    _fields_ = (("type", ctypes.c_int), ("disable_reuse", ctypes.c_int), ("transport", ctypes.c_void_p))


class _Text(ctypes.Structure):
    """``pj_str_t``."""

    _fields_ = (("ptr", ctypes.c_char_p), ("slen", ctypes.c_ssize_t))


class _Address(ctypes.Structure):
    """``pj_sockaddr``, laid out as the system's ``sockaddr_in6``, which is longer than its ``sockaddr_in``."""

    _fields_ = (("octets", ctypes.c_uint8 * 28),)


class _Attachment(ctypes.Structure):
    """``pjmedia_transport_attach_param``."""

    _fields_ = (
        ("stream", ctypes.c_void_p),
        ("media_type", ctypes.c_int),
        ("rtp_address", _Address),
        ("rtcp_address", _Address),
        ("address_length", ctypes.c_uint),
        ("user_data", ctypes.c_void_p),
        ("on_rtp_1", ctypes.c_void_p),
        ("on_rtcp", ctypes.c_void_p),
        ("on_rtp", ctypes.c_void_p),
    )


class _Operations(ctypes.Structure):
    """``pjmedia_transport_op``."""

    _fields_ = (("functions", ctypes.c_void_p * (_ATTACH + 1)),)


class _MediaTransport(ctypes.Structure):
    """``pjmedia_transport``, as far as it is used."""

    _fields_ = (("name", ctypes.c_char * 32), ("type", ctypes.c_int), ("operations", ctypes.POINTER(_Operations)))


# What is called a hundred times a second for each leg takes plain addresses: ctypes' structures cost more than all the rest.
_ARRIVAL: Final = struct.Struct("@PPnP")  # pjmedia_tp_cb_param: user data, packet, its size, pj_sockaddr it came from
_SWITCH: Final = ctypes.c_int  # what follows them: pj_bool_t rem_switch, which the receiver may set
_ON_RTP = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_SENDS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_DESTROYS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_ATTACHES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_MediaTransport), ctypes.POINTER(_Attachment))


class Tap:
    """Sees each RTP packet of a call's media transport: counts those that come, before pjmedia gets them, and logs all."""

    def __init__(self, log: RtpLog) -> None:
        self.log = log
        self.reception: Reception | None = None  #: of the stream that the transport carries now


class Taps:
    """Puts taps on media transports: two of their functions are exchanged for ones that look and go on.

    What is kept of ended calls is overwritten when their addresses come again.
    """

    def __init__(self) -> None:
        self._taps: dict[
            int, tuple[Tap, Any, Any]
        ] = {}  # by the transport's address, with its own send_rtp and attach2
        self._streams: dict[int, tuple[Any, Reception, RtpLog]] = {}  # by the callback's user data: whose it was
        self._tables: dict[int, _Operations] = {}  # by the address of the table they stand for
        self._originals: dict[int, tuple[Any, Any]] = {}  # by the address of a table of ours: what is behind it
        # Any thread may be inside these at any time, so they stay as long as the process.
        self._attaches, self._arrives, self._sends = _ATTACHES(self._attach), _ON_RTP(self._arrive), _SENDS(self._send)

    def put(self, address: int, log: RtpLog) -> Tap:
        """A tap on the transport (``pjmedia_transport *``) that a call is about to use."""
        transport = _MediaTransport.from_address(address)
        operations = ctypes.addressof(transport.operations.contents)
        if operations not in self._originals:
            ours = self._tables.get(operations) or self._table(operations)
            operations = ctypes.addressof(ours)
        tap = Tap(log)
        self._taps[address] = (tap, *self._originals[operations])
        transport.operations = ctypes.pointer(_Operations.from_address(operations))
        return tap

    def _table(self, original: int) -> _Operations:
        table = _Operations.from_buffer_copy(_Operations.from_address(original))
        self._originals[ctypes.addressof(table)] = _SENDS(table.functions[_SEND]), _ATTACHES(table.functions[_ATTACH])
        table.functions[_SEND] = ctypes.cast(self._sends, ctypes.c_void_p).value
        table.functions[_ATTACH] = ctypes.cast(self._attaches, ctypes.c_void_p).value
        self._tables[original] = table
        return table

    def _attach(self, transport: Any, attachment: Any) -> int:
        asked = attachment.contents
        tap, _, attach = self._taps[ctypes.addressof(transport.contents)]
        if asked.on_rtp:
            tap.reception = Reception()
            self._streams[asked.user_data] = (_ON_RTP(asked.on_rtp), tap.reception, tap.log)
            asked.on_rtp = ctypes.cast(self._arrives, ctypes.c_void_p).value
        return int(attach(transport, attachment))

    def _arrive(self, arrival: int) -> None:
        user_data, packet, size, source = _ARRIVAL.unpack(ctypes.string_at(arrival, _ARRIVAL.size))
        onward, reception, log = self._streams[user_data]
        try:
            if size > 0:  # below zero it is an error of the socket
                now, octets = time.monotonic(), ctypes.string_at(packet, size)
                reception.take(now, octets)
                if source:
                    log.received(now, _address(ctypes.string_at(source, ctypes.sizeof(_Address))), octets)
        finally:  # whatever becomes of the looking: the call is not to suffer
            onward(arrival)
            # The stream asks the transport to send wherever packets come from. But RTP is owed to where the SDP says
            # (RFC 3264 section 5.1), and a phone that mends a wrong address by itself hides it.
            _SWITCH.from_address(arrival + _ARRIVAL.size).value = 0

    def _send(self, transport: int, packet: int, size: int) -> int:
        tap, send, _ = self._taps[transport]
        tap.log.sent(time.monotonic(), ctypes.string_at(packet, size))
        status: int = send(transport, packet, size)
        return status


@lru_cache(maxsize=64)
def _address(sockaddr: bytes) -> Address:
    (family,), (port,) = struct.unpack_from("=H", sockaddr), struct.unpack_from("!H", sockaddr, 2)
    return (sockaddr[8:24] if family == socket.AF_INET6 else sockaddr[4:8]), port


class Native:
    """pjproject's library; ``path`` is the extension module's file."""

    def __init__(self, path: str) -> None:
        library = self._library = ctypes.CDLL(path)
        self.taps = Taps()
        pointer = ctypes.c_void_p
        library.pjsua_get_pjmedia_endpt.restype = pointer
        library.pjmedia_endpt_set_flag.argtypes = (pointer, ctypes.c_int, pointer)
        library.pjsua_init_tpselector.argtypes = (ctypes.c_int, pointer)
        library.pjsua_init_tpselector.restype = None
        library.pjsip_udp_transport_pause.argtypes = (pointer, ctypes.c_uint)
        library.pjmedia_transport_udp_create3.argtypes = (
            *(pointer, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_Text)),
            *(ctypes.c_int, ctypes.c_uint, ctypes.POINTER(pointer)),
        )
        library.pjsua_player_create.argtypes = (pointer, ctypes.c_uint, pointer)
        library.pjsua_player_get_conf_port.argtypes = library.pjsua_player_destroy.argtypes = (ctypes.c_int,)
        library.pjsua_conf_connect.argtypes = library.pjsua_conf_disconnect.argtypes = (ctypes.c_int, ctypes.c_int)

    def offer_telephone_event(self, offered: bool) -> None:
        """Whether SDP made from now on names telephone-event."""
        flag = ctypes.c_int(offered)
        endpoint = self._library.pjsua_get_pjmedia_endpt()
        self._library.pjmedia_endpt_set_flag(endpoint, _TELEPHONE_EVENT_FLAG, ctypes.byref(flag))

    def udp_transport(self, account: int) -> int:
        """The transport (``pjsip_transport *``) that an account is bound to."""
        selector = _Selector()
        self._library.pjsua_init_tpselector(account, ctypes.byref(selector))
        return int(selector.transport)

    def close_udp_socket(self, transport: int) -> None:
        """Close a transport's socket now, instead of when its last transaction has timed out."""
        self._library.pjsip_udp_transport_pause(transport, _DESTROY_SOCKET)

    def exchange_for_ipv6(self, transport: int, bind_address: str, ports: tuple[int, int]) -> int:
        """A media transport (``pjmedia_transport *``) on ``bind_address``, in the place of pjsua's, which is closed.

        pjsua is compiled without IPv6 in this wheel, pjmedia is not. Raises ``OSError`` when no port of the range is free.
        """
        address = bind_address.encode()
        text, made = _Text(address, len(address)), ctypes.c_void_p()
        first, last = ports
        even = range(first + first % 2, last, 2)  # RTCP has the next (RFC 3550 section 11)
        for port in random.sample(even, len(even)):
            status = self._library.pjmedia_transport_udp_create3(
                self._library.pjsua_get_pjmedia_endpt(), socket.AF_INET6, None, text, port, 0, made
            )
            if status == 0 and made.value:
                operations = _MediaTransport.from_address(transport).operations.contents
                _DESTROYS(operations.functions[_DESTROY])(transport)
                return made.value
        raise OSError(f"no pair of RTP ports is free on [{bind_address}] in {first}–{last}")

    def player(self, path: Path, *, loop: bool) -> Player:
        """A player of a WAV file. Raises ``OSError`` for one that pjmedia cannot play."""
        return Player(self._library, path, loop)


class Player:
    """Plays a file to slots of the bridge, once or over and over.

    pjsua2's own AudioMediaPlayer subscribes to the end of the file, and drops a frame of 20 ms each time it comes: a
    mark that is played by it breaks at each turn.
    """

    def __init__(self, library: ctypes.CDLL, path: Path, loop: bool) -> None:
        self._library = library
        name = str(path).encode()
        text, number = _Text(name, len(name)), ctypes.c_int()
        status = library.pjsua_player_create(ctypes.byref(text), 0 if loop else _NO_LOOP, ctypes.byref(number))
        if status != 0:
            raise OSError(
                f"{path} cannot be played (pjlib status {status}): a mono WAV of 16-bit PCM, µ-law or A-law can"
            )
        self._number = number.value
        self._slot = library.pjsua_player_get_conf_port(number)

    def connect(self, sink: int) -> None:
        """Send to a slot of the bridge."""
        self._library.pjsua_conf_connect(self._slot, sink)

    def close(self) -> None:
        """Take it out of the bridge, at the clock's next tick."""
        self._library.pjsua_player_destroy(self._number)
