"""Common to all transports: endpoints, flows, TLS, and the filter and trace of bytes.

The sockets are in `sockets`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

from harness.sip.uri import Uri

Address = tuple[str, int]
TransportName = Literal["udp", "tcp", "tls"]
TRANSPORTS: tuple[TransportName, ...] = ("udp", "tcp", "tls")


class ListenError(OSError):
    """A node could not take one of its addresses; the message names it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens (port 0 takes a free one), or where a message goes next.

    An IP address, never a name. A TLS certificate has to carry that address.
    """

    transport: TransportName
    address: str
    port: int = 0

    @property
    def sockaddr(self) -> Address:
        return self.address, self.port

    def uri(self, user: str | None) -> Uri:
        """The SIP URI of a user there, with the transport parameter where it is not UDP."""
        uri = Uri("sip", user, self.address, self.port)
        return uri if self.transport == "udp" else uri.with_param("transport", self.transport)

    def __str__(self) -> str:
        return f"{self.transport}:{self.address}:{self.port}"


def hop_of(uri: Uri) -> Endpoint:
    """The hop of a URI. Raises LookupError for a host name, which no node here looks up, and for
    other transports.
    """
    transport = next((name for name in TRANSPORTS if name == uri.transport), None)
    try:
        address = str(ipaddress.ip_address(uri.address))
    except ValueError:
        address = ""
    if transport is None or not address:
        raise LookupError(f"no address for {uri}")
    return Endpoint(transport, address, uri.effective_port)


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """The certificate a node shows, and the CAs it trusts. PEM files."""

    certificate: Path
    key: Path
    trusted: Path

    def server_context(self) -> ssl.SSLContext:
        """For listening. Raises ssl.SSLError or OSError when the files do not fit."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """For connecting; verifies the server's chain and its address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.trusted)
        return context


class Reject(Enum):
    """A filter's answer that the peer or the sender notices, as with a firewall that rejects
    instead of dropping.
    """

    REJECT = "reject"


REJECT = Reject.REJECT


@dataclass(frozen=True, slots=True)
class Delayed:
    """A filter's answer: let the bytes through after ``seconds``. Over a stream, what follows
    overtakes them.
    """

    seconds: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Passage:
    """Bytes about to pass a node's filter.

    ``data`` is a datagram, or a stream segment (with TLS, its plain text). ``accept`` and
    ``connect`` are a stream's beginning and have no data.
    """

    direction: Literal["in", "out", "accept", "connect"]
    transport: TransportName
    local: Address
    remote: Address
    data: bytes


Passed = bytes | Sequence[bytes] | Delayed | Reject | None
Filter = Callable[[Passage], Passed]
"""Judges bytes, synchronously. Bytes (changed or not) pass; a list passes in order (duplicates,
splits); None drops.

`REJECT` is what a refusing firewall does: of outgoing data, the sender learns of it at once as if
by ICMP; of "accept" and of data on a stream, the peer gets a reset; of an incoming datagram,
nothing (the kernel owns ICMP). None for "accept" or "connect" leaves the connection open and
ignores it.
"""


@dataclass(frozen=True, slots=True)
class Traced:
    """A whole SIP message that a node sent or received, as its filter changed it; ``at`` is
    `time.monotonic`.
    """

    at: float
    node: str
    direction: Literal["sent", "received"]
    transport: TransportName
    local: Address
    remote: Address
    data: bytes


Trace = Callable[[Traced], None]


class Flow(ABC):
    """A way to one peer: a connection, or for UDP a socket and a remote address. Compares by
    identity.

    Sending never raises; a failure is reported to the layer's user once, whether at connecting or
    later.
    """

    transport: TransportName
    local: Address
    remote: Address
    listen: Endpoint
    """The listener whose socket (UDP) or address (streams) it uses: what Via and Contact name."""

    @property
    def reliable(self) -> bool:
        """Whether the transport itself repeats what is lost."""
        return self.transport != "udp"

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether sending can still work; true while a connection is being made."""

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Queue one message."""


class TracedFilter:
    """Filter and trace of one node."""

    def __init__(self, node: str, filter: Filter | None, trace: Trace | None) -> None:
        self.node = node
        self.filter = filter
        self.trace = trace
        self._delayed: set[asyncio.TimerHandle] = set()

    def judge(self, passage: Passage) -> Passed:
        """The filter's answer; without a filter, the bytes as they are."""
        return passage.data if self.filter is None else self.filter(passage)

    def carry(
        self,
        direction: Literal["in", "out"],
        flow: Flow,
        data: bytes,
        deliver: Callable[[bytes], None],
        reject: Callable[[], None] = lambda: None,
        *,
        is_whole: bool = True,
    ) -> None:
        """Judge the bytes, and do what the filter says. A whole message is traced as the filter
        changed it.
        """
        verdict = self.judge(Passage(direction, flow.transport, flow.local, flow.remote, data))
        if is_whole:
            passed = verdict if isinstance(verdict, bytes) else data
            self.record("sent" if direction == "out" else "received", flow, passed)
        if verdict is REJECT:
            reject()
        elif isinstance(verdict, Delayed):
            self._later(verdict, deliver)
        elif isinstance(verdict, bytes):
            deliver(verdict)
        else:
            for piece in verdict or ():
                deliver(piece)

    def _later(self, delayed: Delayed, deliver: Callable[[bytes], None]) -> None:
        def fire() -> None:
            self._delayed.discard(handle)
            deliver(delayed.data)

        handle = asyncio.get_running_loop().call_later(delayed.seconds, fire)
        self._delayed.add(handle)

    def record(self, direction: Literal["sent", "received"], flow: Flow, data: bytes) -> None:
        """Hand a whole message to the trace; keep-alive packets are not traced."""
        if self.trace is not None and data.strip(b"\r\n\x00"):
            self.trace(
                Traced(
                    time.monotonic(),
                    self.node,
                    direction,
                    flow.transport,
                    flow.local,
                    flow.remote,
                    data,
                )
            )

    def close(self) -> None:
        """Forget what is still delayed."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
