"""The sockets of a node, and the transport layer that joins them and routes responses (RFC 3261
section 18).

UDP reports ICMP errors (section 18.4); keep-alive CRLFs of TCP and TLS are answered (RFC 5626
section 3.5.1).
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
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from harness.errors import is_of_the_machine
from harness.sip.framing import PING, PONG, FramingError, StreamFramer
from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.headers import Via
from harness.sip.message import Message, Request, Response
from harness.sip.validation import problem_of_response, salvage
from harness.world.wire.transport import (
    REJECT,
    Address,
    Endpoint,
    Flow,
    ListenError,
    Passage,
    TlsIdentity,
    TracedFilter,
    TransportName,
)

if TYPE_CHECKING:
    from harness.world.wire.transactions import TransactionLayer

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


class UdpSocket:
    """One bound UDP socket of a node.

    The event loop's own datagram endpoint is not used: it drops the datagram being sent when an
    ICMP error of an earlier one is pending, and does not report the peer that the error is about.
    """

    def __init__(self, layer: TransportLayer, listen: Endpoint) -> None:
        self._layer = layer
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.bind(listen.sockaddr)
        except OSError as error:
            self._socket.close()
            raise ListenError(
                error.errno, f"cannot listen on {listen}: {error.strerror}"
            ) from error
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
        self._layer.filter.carry(
            "out",
            flow,
            data,
            lambda piece: self._sendto(flow, piece),
            lambda: self._report(flow, refused),
        )

    def _sendto(self, flow: UdpFlow, data: bytes) -> None:
        """Send one datagram, whatever ICMP errors of earlier ones are pending."""
        if not self.is_open:
            return
        for _ in range(8):  # an error of an earlier datagram each
            try:
                self._socket.sendto(data, flow.remote)
                return
            except BlockingIOError:
                return  # a full buffer loses the datagram, as a network may
            except OSError as error:
                # With IP_RECVERR a pending error of an earlier datagram is raised here: take it
                # off, try again.
                if not self._drain_errors():
                    self._report(flow, error)
                    return

    def _report(self, flow: Flow, error: Exception) -> None:
        # Never from within send(): the sender has not finished setting itself up.
        self._loop.call_soon(self._layer.user.flow_failed, flow, error)

    def _readable(self) -> None:
        """Read what has come, a batch at a time, so that a flood does not keep the event loop."""
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
        self._layer.filter.carry("in", flow, data, lambda piece: self._layer.received(piece, flow))

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
    """Acknowledge at once. Small SIP writes meet the peer's delayed ACK otherwise: 40 ms an
    exchange.

    Linux forgets the option, so it is set again after each read.
    """
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class StreamFlow(Flow, asyncio.Protocol):
    """One connection. What is sent before it is connected waits.

    It is made before its connection, by `TransportLayer.flow_to`, or for one that was accepted.
    Whatever ends it, it is reported once, to `stream_closed`, with the reason.
    """

    def __init__(self, layer: TransportLayer, listen: Endpoint, remote: Address) -> None:
        self.transport = listen.transport
        self.listen = listen
        self.local = (listen.address, 0)
        self.remote = remote
        self._layer = layer
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
            self._loop.call_soon(
                self._layer.stream_closed, self, ConnectionResetError("the connection is gone")
            )
            return
        self._layer.filter.carry("out", self, data, self._write, self.reset)

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
        self._loop.call_soon(self._layer.stream_closed, self, error)

    async def connect(self, hop: Endpoint, context: ssl.SSLContext | None) -> None:
        """Connect to ``hop`` from the address of the listener; a failure is reported as that of the
        flow.
        """
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout(self._layer.connect_timeout):
                verdict = self._layer.filter.judge(
                    Passage("connect", hop.transport, self.local, hop.sockaddr, b"")
                )
                if verdict is REJECT:
                    raise ConnectionRefusedError(
                        errno.ECONNREFUSED, "rejected by the node's filter"
                    )
                if verdict is None:
                    # A SYN into a black hole: only the timeout ends it.
                    await asyncio.Event().wait()
                sock = _stream_socket()
                sock.bind((self.listen.address, 0))
                try:
                    await self._loop.sock_connect(sock, hop.sockaddr)
                except OSError as error:
                    number = error.errno or 0  # asyncio's own text does not say why
                    raise OSError(number, os.strerror(number)) from error
                quick_ack(sock)
                await self._loop.create_connection(
                    lambda: self,
                    sock=sock,
                    ssl=context,
                    server_hostname=hop.address if context else None,
                )
        except (OSError, TimeoutError) as error:
            if sock is not None:
                sock.close()
            if is_of_the_machine(error):
                _log.error("cannot connect to %s: %s", hop.sockaddr, error)
            self.fail(_without_frames(error))
        except asyncio.CancelledError:
            if sock is not None:
                sock.close()
            self.fail(None)
            raise

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
        self._layer.filter.carry("in", self, data, self._feed, self.reset, is_whole=False)

    def _feed(self, data: bytes) -> None:
        """Split the received octets into messages, and hand each on; a keep-alive is answered."""
        try:
            for message in self._framer.feed(data):
                if self._closed:
                    return
                if message == PING:
                    self._write(PONG)
                else:
                    self._layer.filter.record("received", self, message)
                    self._layer.received(message, self)
        except FramingError as error:
            self._cause = error
            self._layer.stream_unframed(error, self)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by either side."""
        self.fail(exc or self._cause)


class StreamListener:
    """A listening TCP socket, for TLS with the handshake done in tasks of its own.

    A connection that the filter drops is accepted and never read: the kernel has completed its
    handshake already, and this comes closest to a peer that does not answer.
    """

    def __init__(
        self, layer: TransportLayer, listen: Endpoint, context: ssl.SSLContext | None
    ) -> None:
        self._layer = layer
        self._context = context
        self._socket = _stream_socket()
        try:
            self._socket.bind(listen.sockaddr)
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self._socket.close()
            raise ListenError(
                error.errno, f"cannot listen on {listen}: {error.strerror}"
            ) from error
        self.listen = Endpoint(listen.transport, listen.address, self._socket.getsockname()[1])
        self._deaf: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._acceptable)

    def _acceptable(self) -> None:
        """Accept one connection, and treat it as the filter says. The listener stays readable while
        more wait.
        """
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
        verdict = self._layer.filter.judge(
            Passage("accept", self.listen.transport, self.listen.sockaddr, remote, b"")
        )
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
        """Make a flow of an accepted connection, with TLS after its handshake."""
        flow = self._layer.stream(self.listen, remote)
        timeout = self._layer.connect_timeout if self._context else None
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
    """``error``, with the frames it was raised through cleared: asyncio's refer to it, and each TLS
    connection has 256 kB of buffer.
    """
    traceback.clear_frames(error.__traceback__)
    return error


def _stream_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class TransportLayer:
    """Sockets and flows of one node.

    A flow is a way to one peer: a socket and an address over UDP, a connection over TCP and TLS.
    Every message that comes or goes passes the node's filter, which may drop, delay or reject it,
    and is traced. Failures are reported from the event loop, never from within `send`.
    """

    def __init__(
        self,
        listens: Sequence[Endpoint],
        user: TransactionLayer,
        filter: TracedFilter,
        tls: TlsIdentity | None,
        connect_timeout: float,
    ) -> None:
        self.filter = filter
        self._name = filter.node
        self._wanted = tuple(listens)
        self.user = user
        self._tls = tls
        self.connect_timeout = connect_timeout
        self._udp: list[UdpSocket] = []
        self._listeners: list[StreamListener] = []
        self._flows: set[StreamFlow] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind the listeners. Raises ListenError, with nothing left open, or ssl.SSLError."""
        try:
            for listen in self._wanted:
                self._open(listen)
        except OSError:
            await self.stop()
            raise

    def _open(self, listen: Endpoint) -> None:
        if listen.transport == "udp":
            self._udp.append(UdpSocket(self, listen))
            return
        context = None
        if listen.transport == "tls" and self._tls is not None:
            context = self._tls.server_context()
        self._listeners.append(StreamListener(self, listen, context))

    async def stop(self) -> None:
        """Close everything."""
        for listener in self._listeners:
            await listener.stop()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for flow in list(self._flows):
            flow.close()
        for udp in self._udp:
            udp.close()
        self.filter.close()
        for _ in range(50):  # closing a TLS connection takes some turns of the loop
            if not self._flows:
                break
            await asyncio.sleep(0.01)
        for flow in list(self._flows):
            flow.reset()
        await asyncio.sleep(0)

    @property
    def listening(self) -> tuple[Endpoint, ...]:
        """Where it listens, with the ports taken."""
        datagrams = [udp.listen for udp in self._udp]
        streams = [listener.listen for listener in self._listeners]
        return (*datagrams, *streams)

    def flows(self) -> tuple[StreamFlow, ...]:
        return tuple(self._flows)

    def find_listen(self, transport: TransportName) -> Endpoint:
        """The first listener of a transport. Raises LookupError."""
        for listen in self.listening:
            if listen.transport == transport:
                return listen
        raise LookupError(f"{self._name} has no {transport} listener")

    def flow_to(self, hop: Endpoint, source: Endpoint | None = None) -> Flow:
        """A flow to ``hop``, from ``source`` if that has its transport: an open connection if there
        is one, else a new one.

        Raises LookupError when the node does not listen with that transport: its Via would name
        nothing. A request is never moved from UDP to TCP by its size, as RFC 3261 section 18.1.1
        wants it: a trunk's transport is what its deployment says, and one that lost large datagrams
        should show.
        """
        listen = source
        if listen is None or listen.transport != hop.transport:
            listen = self.find_listen(hop.transport)
        if hop.transport == "udp":
            udp = next(udp for udp in self._udp if udp.listen == listen)
            return UdpFlow(udp, hop.sockaddr)
        for flow in self._flows:
            if flow.is_open and (flow.transport, flow.remote) == (hop.transport, hop.sockaddr):
                return flow
        flow = self.stream(listen, hop.sockaddr)
        context = self._client_context if hop.transport == "tls" else None
        task = asyncio.get_running_loop().create_task(flow.connect(hop, context))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return flow

    def stream(self, listen: Endpoint, remote: Address) -> StreamFlow:
        flow = StreamFlow(self, listen, remote)
        self._flows.add(flow)
        return flow

    @cached_property
    def _client_context(self) -> ssl.SSLContext | None:
        """The TLS context for connecting, made when it is first needed: it costs milliseconds, and
        few nodes ever connect.
        """
        return self._tls.client_context() if self._tls is not None else None

    def via(self, flow: Flow, branch: str) -> Via:
        """The Via of our request over ``flow``; rport asks for symmetric answers (RFC 3581)."""
        params = Params((("rport", None), ("branch", branch)))
        return Via(flow.transport.upper(), flow.listen.address, flow.listen.port, params)

    def response_flow(self, response: Response, flow: Flow) -> Flow:
        """The flow a response takes (RFC 3261 section 18.2.2, RFC 3581 section 4)."""
        if not isinstance(flow, UdpFlow):
            return flow
        # The request came from flow.remote; without rport, the answer goes to the port of sent-by,
        # or to 5060, whatever transport the Via names.
        via = response.via
        address, port = flow.remote
        if "rport" not in via.params:
            port = via.port or 5060
        return flow.to((address, port))

    # --- received messages -------------------------------------------------------------------------

    def received(self, data: bytes, flow: Flow) -> None:
        """A whole message came."""
        if not data.strip(b"\r\n\x00"):
            return  # keep-alive of NATs
        try:
            message = Message.parse(data)
        except SipSyntaxError as error:
            self._reject_unreadable(data, flow, str(error))
            return
        try:
            self._hand_on(message, flow)
        except SipSyntaxError as error:
            _log.debug("%s: dropped from %s: %s", self._name, flow.remote, error)
        except Exception:
            # One bad message must not stop the next.
            _log.exception("%s: failed on a message from %s", self._name, flow.remote)

    def _hand_on(self, message: Request | Response, flow: Flow) -> None:
        """Hand a message to the transactions. A request's Via gets the source that the socket saw
        (RFC 3581); a response that is broken is dropped, since it cannot be answered.
        """
        if isinstance(message, Request):
            stamped = message.with_top_via(message.via.stamped(*flow.remote))
            self.user.request_received(stamped, flow)
            return
        problem = problem_of_response(message)
        if problem is not None:
            _log.debug("%s: response from %s dropped: %s", self._name, flow.remote, problem)
            return
        self.user.response_received(message)

    def _reject_unreadable(self, data: bytes, flow: Flow, error: str) -> None:
        """Answer 400 where enough of a request can be read to do so; drop the rest."""
        request = salvage(data)
        if request is None or request.method == "ACK":
            _log.debug("%s: unreadable from %s: %s", self._name, flow.remote, error)
            return
        request = request.with_top_via(request.via.stamped(*flow.remote))
        response = Response.to_request(request, 400, tag="unreadable")
        self.response_flow(response, flow).send(response.raw)

    # --- what streams report -----------------------------------------------------------------------

    def stream_unframed(self, error: FramingError, flow: StreamFlow) -> None:
        """The bytes cannot be cut into messages; the flow closes after this."""
        self._reject_unreadable(error.head, flow, str(error))

    def stream_closed(self, flow: StreamFlow, error: Exception | None) -> None:
        """It is closed, or never opened; ``error`` is None when it was closed in order."""
        self._flows.discard(flow)
        self.user.flow_failed(flow, error)
