"""DNS lookups outside of pjsip's thread, through its interface for external resolvers
(``pjsip_ext_resolver``, pjproject 2.15 to 2.17).

By default pjsip calls the system's resolver in the thread that serves every call, so one slow name
server would stop them all. The system's resolver is still used, so /etc/hosts counts; SRV and NAPTR
(RFC 3263) are not looked up.
"""

from __future__ import annotations

import ctypes
import encodings.idna  # noqa: F401 - else the first lookup imports it, and a library that loads while all other threads wait
import ipaddress
import queue
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from harness.phone.child.pjlib import Text, pointer

_MOST_ADDRESSES: Final = 8  # PJSIP_MAX_RESOLVED_ADDRESSES
_UNRESOLVED: Final = 70018  # PJ_ERESOLVE
_IPV6: Final = 128  # PJSIP_TRANSPORT_IPV6
_RELIABLE, _SECURE = 1, 2  # of pjsip_transport_flags_e
_UDP, _TCP, _TLS = 1, 2, 3  # of pjsip_transport_type_e
_PORT: Final = {_UDP: 5060, _TCP: 5060, _TLS: 5061}  # RFC 3261 section 19.1.2
_SLOW_S: Final = 1.0
#: Each lookup is a thread: one message with hundreds of names ended the process.
_MOST_AT_ONCE: Final = 64
#: A name server's answer; other errors mean that none answered.
_DENIED: Final = (socket.EAI_NONAME, socket.EAI_NODATA)


class _Target(ctypes.Structure):
    """``pjsip_host_info``."""

    _fields_ = (
        ("flag", ctypes.c_uint),
        ("type", ctypes.c_int),
        ("host", Text),
        ("port", ctypes.c_int),
    )


class _Record(ctypes.Structure):
    """``pjsip_server_address_record``."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("priority", ctypes.c_uint),
        ("weight", ctypes.c_uint),
        ("address", ctypes.c_uint32 * 7),  # pj_sockaddr, as the system's sockaddr_in6
        ("length", ctypes.c_int),
    )


class _NamedRecord(ctypes.Structure):
    """The same since pjproject 2.16."""

    _fields_ = (("name", Text), *_Record._fields_)


class _Addresses(ctypes.Structure):
    """``pjsip_server_addresses``."""

    _fields_ = (("count", ctypes.c_uint), ("entry", _Record * _MOST_ADDRESSES))


class _NamedAddresses(ctypes.Structure):
    """The same since pjproject 2.16."""

    _fields_ = (("count", ctypes.c_uint), ("entry", _NamedRecord * _MOST_ADDRESSES))


_AnyAddresses = _Addresses | _NamedAddresses


def _addresses_of(version: str) -> type[_AnyAddresses]:
    """The structure of a version of pjproject, such as ``2.15.1`` or ``2.17-dev``."""
    major, minor = map(int, re.findall(r"\d+", version)[:2])
    return _NamedAddresses if (major, minor) >= (2, 16) else _Addresses


_Resolve = ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.POINTER(_Target), pointer, pointer)
_Found = ctypes.CFUNCTYPE(None, ctypes.c_int, pointer, pointer)


class _ExtResolver(ctypes.Structure):
    """``pjsip_ext_resolver``."""

    _fields_ = (("resolve", _Resolve),)


class _Key(NamedTuple):
    """A lookup of a name in an address family."""

    name: str
    family: int


@dataclass
class _Lookup:
    """A pending lookup and its callbacks."""

    name: str
    began: float
    waiting: list[Callable[[list[str]], None]] = field(default_factory=list)
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """A lookup that is slow or failed. ``problem`` is empty if it succeeded; ``denied``: the name
    does not exist.
    """

    name: str
    seconds: float
    problem: str
    denied: bool = False


class Names:
    """Resolves host names for pjsip. ``wake`` makes the main thread call :meth:`tick`.

    pjsip asks in the main thread and goes on; each name is looked up in a thread of its own, once
    for all who ask meanwhile. `tick` hands the results over, in the main thread again.
    """

    def __init__(
        self,
        ipv6: bool,
        wake: Callable[[], None],
        report: Callable[[Trouble], None],
        fault: Callable[[str], None],
    ) -> None:
        self._ipv6 = ipv6
        self._wake = wake
        self._report = report
        self._fault = fault
        self._lookups: dict[_Key, _Lookup] = {}
        self._answers: queue.SimpleQueue[tuple[_Key, list[str], str, bool]] = queue.SimpleQueue()
        self._resolver = _ExtResolver(_Resolve(self._asked))
        self._addresses: type[_AnyAddresses] = _Addresses

    def serve(self, library: ctypes.CDLL) -> None:
        """Install this resolver in pjsip."""
        library.pj_get_version.restype = ctypes.c_char_p
        self._addresses = _addresses_of(library.pj_get_version().decode())
        library.pjsua_get_pjsip_endpt.restype = pointer
        library.pjsip_endpt_set_ext_resolver.argtypes = (pointer, pointer)
        endpoint = library.pjsua_get_pjsip_endpt()
        status = library.pjsip_endpt_set_ext_resolver(endpoint, ctypes.byref(self._resolver))
        if status != 0:
            raise OSError(f"pjsip refused the resolver (pjlib status {status})")

    @property
    def are_sought(self) -> bool:
        """Whether a lookup has no answer yet."""
        return bool(self._lookups)

    def tick(self, now: float) -> None:
        """Deliver results, and report slow lookups."""
        while not self._answers.empty():
            key, found, problem, denied = self._answers.get()
            lookup = self._lookups.pop(key)
            if lookup.reported or problem:
                self._report(Trouble(lookup.name, now - lookup.began, problem, denied))
            for hand_over in lookup.waiting:
                hand_over(found)
        for lookup in self._lookups.values():
            if not lookup.reported and now >= lookup.began + _SLOW_S:
                lookup.reported = True
                self._report(Trouble(lookup.name, now - lookup.began, "no answer yet"))

    def _asked(self, _resolver: int, _pool: int, target: Any, token: int, answer: int) -> None:
        """pjsip's request; ``target`` is valid only during the call, ``token`` until the answer."""
        try:
            self._ask(target.contents, token, _Found(answer))
        except Exception as error:
            self._fault(f"names: {type(error).__name__}: {error}")

    def _ask(self, target: _Target, token: int, answer: Any) -> None:
        """Look up the host of a next hop, unless it is an address already, and hand it to pjsip."""
        name = target.host.octets.decode("utf-8", "replace").strip("[]")
        kind = target.type % _IPV6 or _transport_asked(target.flag)
        port = target.port

        def hand_over(found: list[str]) -> None:
            # variables keep both alive until pjsip has copied them
            octets = name.encode()
            records = _records(self._addresses(), found, kind, port)
            for record in records.entry[: records.count]:
                if isinstance(record, _NamedRecord):
                    record.name = Text(octets, len(octets))
            answer(0 if found else _UNRESOLVED, token, ctypes.addressof(records))

        try:
            ipaddress.ip_address(name)
        except ValueError:
            self._look_up(_Key(name, self._family(target.type)), hand_over)
        else:
            hand_over([name])

    def _family(self, kind: int) -> int:
        if not self._ipv6:
            return socket.AF_INET
        return socket.AF_INET6 if kind & _IPV6 else socket.AF_UNSPEC

    def _look_up(self, key: _Key, hand_over: Callable[[list[str]], None]) -> None:
        """Begin a lookup in a thread of its own, or join the one that is under way."""
        known = self._lookups.get(key)
        if known is not None:
            known.waiting.append(hand_over)
            return
        self._lookups[key] = _Lookup(key.name, time.monotonic(), [hand_over])
        if len(self._lookups) > _MOST_AT_ONCE:
            refused = f"more than {_MOST_AT_ONCE} names were asked for at once"
            self._answers.put((key, [], refused, False))
            self._wake()
            return
        finding = threading.Thread(
            target=self._find, args=(key,), name=f"name {key.name}", daemon=True
        )
        finding.start()

    def _find(self, key: _Key) -> None:
        """Ask the system's resolver; runs in its own thread, however long that takes."""
        found: list[str] = []
        problem = ""
        denied = False
        try:
            entries = socket.getaddrinfo(key.name, None, key.family, socket.SOCK_DGRAM)
            addresses = dict.fromkeys(str(entry[4][0]) for entry in entries)  # each once, in order
            found = list(addresses)[:_MOST_ADDRESSES]
        # A label of more than 63 octets, or a zero, is a ValueError.
        except (OSError, ValueError) as error:
            problem = str(getattr(error, "strerror", None) or error)
            denied = not isinstance(error, socket.gaierror) or error.errno in _DENIED
        self._answers.put((key, found, problem, denied))
        self._wake()


def _transport_asked(flag: int) -> int:
    """The transport by pjsip's flags, for a URI that names none (RFC 3263 section 4.1)."""
    if flag & _SECURE:
        return _TLS
    return _TCP if flag & _RELIABLE else _UDP


def _records(made: _AnyAddresses, found: list[str], kind: int, port: int) -> _AnyAddresses:
    """Fill pjsip's records: each address as a ``sockaddr_in`` or ``sockaddr_in6``."""
    made.count = len(found)
    for record, text in zip(made.entry, found, strict=False):
        address = ipaddress.ip_address(text.partition("%")[0])
        packed_port = struct.pack("!H", port or _PORT[kind])
        if address.version == 4:
            record.type = kind
            record.length = 16
            whole = struct.pack("=H", socket.AF_INET) + packed_port + address.packed
        else:
            record.type = kind | _IPV6
            record.length = 28
            # Between port and address is the flow label, behind them the scope; neither is set.
            whole = struct.pack("=H", socket.AF_INET6) + packed_port
            whole += bytes(4) + address.packed + bytes(4)
        ctypes.memmove(record.address, whole, len(whole))
    return made
