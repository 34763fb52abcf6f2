"""The transport layer of one node: its sockets, its flows, and the routing of responses (RFC 3261 section 18)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from harness.sip.framing import FramingError
from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.headers import Via
from harness.sip.message import Message, Request, Response
from harness.sip.validation import problem_of_response, salvage
from harness.world.wire.sockets import StreamFlow, StreamListener, UdpFlow, UdpSocket, connect
from harness.world.wire.transport import (
    Address,
    Endpoint,
    Flow,
    TlsIdentity,
    TracedFilter,
    TransportName,
)

if TYPE_CHECKING:
    from harness.world.wire.transactions import TransactionLayer

_log = logging.getLogger(__name__)


class TransportLayer:
    """Sockets and flows of one node."""

    def __init__(
        self,
        listens: Sequence[Endpoint],
        user: TransactionLayer,
        filter: TracedFilter,
        tls: TlsIdentity | None,
        connect_timeout: float,
    ) -> None:
        self._filter = filter
        self._name = filter.node
        self._wanted = tuple(listens)
        self._user = user
        self._tls = tls
        self._timeout = connect_timeout
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
            self._udp.append(UdpSocket(listen, self._filter, self.received, self._user.flow_failed))
        else:
            context = self._tls.server_context() if self._tls is not None and listen.transport == "tls" else None
            self._listeners.append(StreamListener(listen, self._filter, self._stream, context, self._timeout))

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
        self._filter.close()
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
        streams = tuple(listener.listen for listener in self._listeners)
        return tuple(socket.listen for socket in self._udp) + streams

    def flows(self) -> tuple[StreamFlow, ...]:
        return tuple(self._flows)

    def find_listen(self, transport: TransportName) -> Endpoint:
        """The first listener of a transport. Raises LookupError."""
        for listen in self.listening:
            if listen.transport == transport:
                return listen
        raise LookupError(f"{self._name} has no {transport} listener")

    def flow_to(self, hop: Endpoint, source: Endpoint | None = None) -> Flow:
        """A flow to ``hop``, from ``source`` if that has its transport: an open connection if there is one, else a new one.

        Raises LookupError when the node does not listen with that transport: its Via would name nothing. A request is
        never moved from UDP to TCP by its size, as RFC 3261 section 18.1.1 wants it: a trunk's transport is what its
        deployment says, and one that lost large datagrams should show.
        """
        listen = source if source and source.transport == hop.transport else self.find_listen(hop.transport)
        if hop.transport == "udp":
            return UdpFlow(next(udp for udp in self._udp if udp.listen == listen), hop.sockaddr)
        for flow in self._flows:
            if flow.is_open and (flow.transport, flow.remote) == (hop.transport, hop.sockaddr):
                return flow
        flow = self._stream(listen, hop.sockaddr)
        context = self._client_context if hop.transport == "tls" else None
        task = asyncio.get_running_loop().create_task(connect(flow, hop, context, self._filter, self._timeout))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return flow

    def _stream(self, listen: Endpoint, remote: Address) -> StreamFlow:
        flow = StreamFlow(listen, remote, self._filter, self)
        self._flows.add(flow)
        return flow

    @cached_property
    def _client_context(self) -> ssl.SSLContext | None:
        """The TLS context for connecting, made when it is first needed: it costs milliseconds, and few nodes ever connect."""
        return self._tls.client_context() if self._tls is not None else None

    def via(self, flow: Flow, branch: str) -> Via:
        """The Via of our request over ``flow``; rport asks for symmetric answers (RFC 3581)."""
        params = Params((("rport", None), ("branch", branch)))
        return Via(flow.transport.upper(), flow.listen.address, flow.listen.port, params)

    def response_flow(self, response: Response, flow: Flow) -> Flow:
        """The flow a response takes (RFC 3261 section 18.2.2, RFC 3581 section 4)."""
        if not isinstance(flow, UdpFlow):
            return flow
        # The request came from flow.remote; without rport, the answer goes to the port of sent-by, or to 5060,
        # whatever transport the Via names.
        via = response.via
        port = flow.remote[1] if "rport" in via.params else via.port or 5060
        return flow.to((flow.remote[0], port))

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
            _log.debug("%s: dropped from %r: %s", self._name, flow, error)
        except Exception:
            # One bad message must not stop the next.
            _log.exception("%s: failed on a message from %r", self._name, flow)

    def _hand_on(self, message: Request | Response, flow: Flow) -> None:
        if isinstance(message, Request):
            stamped = message.with_top_via(message.via.stamped(*flow.remote))
            self._user.request_received(stamped, flow)
            return
        problem = problem_of_response(message)
        if problem is not None:
            _log.debug("%s: response from %r dropped: %s", self._name, flow, problem)
            return
        self._user.response_received(message)

    def _reject_unreadable(self, data: bytes, flow: Flow, error: str) -> None:
        request = salvage(data)
        if request is None or request.method == "ACK":
            _log.debug("%s: unreadable from %r: %s", self._name, flow, error)
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
        self._user.flow_failed(flow, error)
