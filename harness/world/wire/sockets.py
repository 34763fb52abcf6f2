"""The sockets of a node: UDP with its ICMP errors (RFC 3261 section 18.4), TCP and TLS connections and their listeners.

Keep-alives of connections are answered as RFC 5626 section 3.5.1 says.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import struct
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from harness.errors import is_of_the_machine
from harness.sip.framing import PING, PONG, FramingError, StreamFramer
from harness.world.wire.transport import (
    REJECT,
    Address,
    Endpoint,
    Flow,
    ListenError,
    Passage,
    TracedFilter,
)

if TYPE_CHECKING:
    from harness.world.wire.layer import TransportLayer

_log = logging.getLogger(__name__)
_IP_RECVERR = 11  # Linux; the socket module does not name it
_MOST_DATAGRAM = 65_535
_BATCH = 64  # datagrams read before the loop gets a turn
_BUFFER = 1 << 20
_BACKLOG = 256
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s


class UdpFlow(Flow):
    """A socket and a peer."""

    transport = "udp"

    def __init__(self, udp: UdpSocket, remote: Address) -> None:
        self._socket = udp
        self.local = udp.listen.sockaddr
        self.listen = udp.listen
        self.remote = remote

    @property
    def is_open(self) -> bool:
        return self._socket.is_open

    def send(self, data: bytes) -> None:
        """Send one datagram through the filter."""
        self._socket.send(self, data)

    def to(self, remote: Address) -> UdpFlow:
        """A flow of the same socket to another peer."""
        return UdpFlow(self._socket, remote)

    def close(self) -> None:
        """Does nothing: the node owns the socket."""


class UdpSocket:
    """One bound UDP socket of a node.

    The event loop's own datagram endpoint is not used: it drops the datagram being sent when an ICMP error of an
    earlier one is pending, and does not report the peer that the error is about.
    """

    def __init__(
        self,
        listen: Endpoint,
        filter: TracedFilter,
        received: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, Exception], None],
    ) -> None:
        self._filter = filter
        self._received = received
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(listen.sockaddr)
        except OSError as error:
            self._socket.close()
            raise ListenError(error.errno, f"cannot listen on {listen}: {error.strerror}") from error
        self.listen = Endpoint("udp", listen.address, self._socket.getsockname()[1])
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self.is_open = True
        self._loop.add_reader(self._socket, self._readable)

    def send(self, flow: UdpFlow, data: bytes) -> None:
        """Send one datagram through the filter; failures are reported from the loop, not raised."""
        if not self.is_open:
            return
        refused = ConnectionRefusedError(errno.ECONNREFUSED, "rejected by the node's filter")
        self._filter.carry(
            "out", flow, data, lambda piece: self._sendto(flow, piece), lambda: self._report(flow, refused)
        )

    def _sendto(self, flow: UdpFlow, data: bytes) -> None:
        if not self.is_open:
            return
        for _ in range(8):
            try:
                self._socket.sendto(data, flow.remote)
                return
            except BlockingIOError:
                return  # a full buffer loses the datagram, as a network may
            except OSError as error:
                # With IP_RECVERR a pending error of an earlier datagram is raised here: take it off, try again.
                if not self._drain_errors():
                    self._report(flow, error)
                    return

    def _report(self, flow: Flow, error: Exception) -> None:
        # Never from within send(): the sender has not finished setting itself up.
        self._loop.call_soon(self._failed, flow, error)

    def _readable(self) -> None:
        errors = True  # woken without a datagram: by the error queue
        for turn in range(_BATCH):
            if not self.is_open:
                return
            try:
                data, remote = self._socket.recvfrom(_MOST_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:
                errors = True  # its details stand in the error queue
                continue
            errors = errors and turn > 0
            self._accept(data, remote[:2])
        if errors:
            self._drain_errors()

    def _accept(self, data: bytes, remote: Address) -> None:
        flow = UdpFlow(self, remote)
        self._filter.carry("in", flow, data, lambda piece: self._received(piece, flow))

    def _drain_errors(self) -> bool:
        """Report every queued ICMP error to the flow it is about; whether there was one."""
        found = False
        while self.is_open:
            try:
                _, control, _, remote = self._socket.recvmsg(
                    _MOST_DATAGRAM, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:
                return found
            found = True
            for level, kind, data in control:
                if level == socket.IPPROTO_IP and kind == _IP_RECVERR:
                    (number,) = struct.unpack_from("=I", data)
                    self._report(UdpFlow(self, remote[:2]), OSError(number, os.strerror(number)))
        return found

    def close(self) -> None:
        """Give the port back."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket)
            self._socket.close()


def quick_ack(sock: Any) -> None:
    """Acknowledge at once. Small SIP writes meet the peer's delayed ACK otherwise: 40 ms an exchange.

    Linux forgets the option, so it is set again after each read.
    """
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class StreamFlow(Flow, asyncio.Protocol):
    """One connection. What is sent before it is connected waits."""

    def __init__(self, listen: Endpoint, remote: Address, filter: TracedFilter, user: TransportLayer) -> None:
        self.transport = listen.transport
        self.listen = listen
        self.local = (listen.address, 0)
        self.remote = remote
        self._filter = filter
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._wire: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._framer = StreamFramer()
        self._closed = False
        self._cause: Exception | None = None

    # --- Flow --------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it is connected, or being connected."""
        return not self._closed

    def send(self, data: bytes) -> None:
        """Queue one message."""
        if self._closed:
            self._loop.call_soon(self._user.stream_closed, self, ConnectionResetError("the connection is gone"))
            return
        self._filter.carry("out", self, data, self._write, self.reset)

    def _write(self, data: bytes) -> None:
        if self._wire is None:
            self._waiting.append(data)
        elif not self._wire.is_closing():
            self._wire.write(data)

    def close(self) -> None:
        """Close after what is queued has gone out."""
        if self._wire is not None:
            self._wire.close()
        else:
            self.fail(None)

    def reset(self) -> None:
        """Close with a TCP reset, losing what is queued."""
        self._cause = ConnectionResetError(errno.ECONNRESET, "reset by the node's filter")
        if self._wire is None:
            self.fail(self._cause)
            return
        sock = self._wire.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._wire.abort()

    def fail(self, error: Exception | None) -> None:
        """It never opened, or is given up before it could."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        self._loop.call_soon(self._user.stream_closed, self, error)

    # --- asyncio.Protocol --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up, with TLS its handshake done."""
        self._wire = cast("asyncio.Transport", transport)
        if self._closed:  # given up meanwhile
            self._wire.abort()
            return
        self.local = self._wire.get_extra_info("sockname")[:2]
        quick_ack(self._wire.get_extra_info("socket"))
        for data in self._waiting:
            self._wire.write(data)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """A segment came; with TLS, its plain text."""
        quick_ack(self._wire.get_extra_info("socket") if self._wire else None)
        self._filter.carry("in", self, data, self._feed, self.reset, is_whole=False)

    def _feed(self, data: bytes) -> None:
        try:
            for message in self._framer.feed(data):
                if self._closed:
                    return
                if message == PING:
                    self._write(PONG)
                else:
                    self._filter.record("received", self, message)
                    self._user.received(message, self)
        except FramingError as error:
            self._cause = error
            self._user.stream_unframed(error, self)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by either side."""
        self.fail(exc or self._cause)


class StreamListener:
    """A listening TCP socket, for TLS with the handshake done in tasks of its own."""

    def __init__(
        self,
        listen: Endpoint,
        filter: TracedFilter,
        flow: Callable[[Endpoint, Address], StreamFlow],
        context: ssl.SSLContext | None,
        handshake_timeout: float,
    ) -> None:
        self._filter = filter
        self._flow = flow
        self._context = context
        self._handshake_timeout = handshake_timeout
        self._socket = _stream_socket()
        try:
            self._socket.bind(listen.sockaddr)
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self._socket.close()
            raise ListenError(error.errno, f"cannot listen on {listen}: {error.strerror}") from error
        self.listen = Endpoint(listen.transport, listen.address, self._socket.getsockname()[1])
        self._deaf: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._acceptable)

    def _acceptable(self) -> None:
        try:
            sock, peer = self._socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # Out of files: leave the connection in the backlog and look again in a moment.
            _log.error("%s: cannot accept: %s", self.listen, error)
            self._loop.remove_reader(self._socket)
            self._loop.call_later(0.2, self._resume)
            return
        sock.setblocking(False)
        quick_ack(sock)
        remote: Address = peer[:2]
        verdict = self._filter.judge(Passage("accept", self.listen.transport, self.listen.sockaddr, remote, b""))
        if verdict is REJECT:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.close()
        elif verdict is None:
            self._deaf.append(sock)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._adopt(sock, remote))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._acceptable)

    async def _adopt(self, sock: socket.socket, remote: Address) -> None:
        flow = self._flow(self.listen, remote)
        timeout = self._handshake_timeout if self._context else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: flow, sock, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except (OSError, TimeoutError) as error:
            sock.close()
            flow.fail(_without_frames(error))
        except asyncio.CancelledError:
            sock.close()
            flow.fail(None)
            raise

    async def stop(self) -> None:
        """Stop listening, give up handshakes under way; connections made stay."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()
        for sock in self._deaf:
            sock.close()
        self._deaf.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _without_frames(error: Exception) -> Exception:
    """``error``, and no local variable of the frames it was raised through: asyncio's know it, and TLS has 256 kB of buffer each."""
    traceback.clear_frames(error.__traceback__)
    return error


def _stream_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def connect(
    flow: StreamFlow, hop: Endpoint, context: ssl.SSLContext | None, filter: TracedFilter, patience: float
) -> None:
    """Connect ``flow`` to ``hop`` from the address of its listener; the flow reports a failure."""
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout(patience):
            verdict = filter.judge(Passage("connect", hop.transport, flow.local, hop.sockaddr, b""))
            if verdict is REJECT:
                raise ConnectionRefusedError(errno.ECONNREFUSED, "rejected by the node's filter")
            if verdict is None:
                await asyncio.Event().wait()  # a SYN into a black hole: only the timeout ends it
            sock = _stream_socket()
            sock.bind((flow.listen.address, 0))
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_connect(sock, hop.sockaddr)
            except OSError as error:
                number = error.errno or 0  # asyncio's own text does not say why
                raise OSError(number, os.strerror(number)) from error
            quick_ack(sock)
            await loop.create_connection(
                lambda: flow, sock=sock, ssl=context, server_hostname=hop.address if context else None
            )
    except (OSError, TimeoutError) as error:
        if sock is not None:
            sock.close()
        if is_of_the_machine(error):
            _log.error("cannot connect to %s: %s", hop.sockaddr, error)
        flow.fail(_without_frames(error))
    except asyncio.CancelledError:
        if sock is not None:
            sock.close()
        flow.fail(None)
        raise
