"""Timers, client and server transactions, and the layer that matches messages to them (RFC 3261
section 17, RFC 6026).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from harness.sip.digest import DigestClient
from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import MAGIC_COOKIE, Header
from harness.sip.message import Request, Response
from harness.sip.validation import problem_of_request
from harness.world.wire.transport import Flow

if TYPE_CHECKING:
    from harness.world.wire.sockets import TransportLayer


@dataclass(frozen=True, slots=True)
class Timers:
    """Base values in seconds; the lettered timers follow from them."""

    t1: float = 0.5
    """Round trip estimate."""
    t2: float = 4.0
    """Longest interval between retransmissions of non-INVITE requests and INVITE responses."""
    t4: float = 5.0
    """Longest time a message stays in the network."""
    trying: float = 0.2
    """When an INVITE that got no answer from its user gets 100 (RFC 3261 section 17.2.1)."""
    patience: int = 64
    """After so many T1 a transaction is given up. RFC 3261 says 64; some SBCs wait for some seconds
    only.
    """

    @property
    def transaction(self) -> float:
        """Timers B, F, H, L, M, and D and J over unreliable transports."""
        return self.patience * self.t1


_log = logging.getLogger(__name__)
OnResponse = Callable[[Response], None]
ServerKey = tuple[str, ...]
"""What makes a request part of a server transaction (RFC 3261 section 17.2.3)."""


class State(Enum):
    """Where a transaction stands (RFC 3261 figures 5 to 8, RFC 6026 figures 1 and 2)."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class _Transaction:
    """What both kinds of transactions share: timers by their letters, and the end.

    A timer is known by its letter in RFC 3261; one that starts again replaces itself.
    """

    state: State

    def __init__(self, layer: TransactionLayer, request: Request, flow: Flow) -> None:
        self.layer = layer
        self.timers = layer.timers
        self.is_invite = request.method == "INVITE"
        self.flow = flow
        self._interval = self.timers.t1
        self._running: dict[str, asyncio.TimerHandle] = {}

    def _start(self, letter: str, seconds: float, fire: Callable[[], None]) -> None:
        self._stop(letter)
        self._running[letter] = asyncio.get_running_loop().call_later(seconds, fire)

    def _stop(self, *letters: str) -> None:
        for letter in letters or list(self._running):
            handle = self._running.pop(letter, None)
            if handle is not None:
                handle.cancel()

    def _finish(self, state: State, seconds: float, letter: str) -> None:
        """Only absorb retransmissions from now on, for that long; reliable transports have none
        (timers D, I, J, K).
        """
        self._stop()
        self.state = state
        if letter in "DIJK" and self.flow.reliable:
            self.terminate()
        else:
            self._start(letter, seconds, self.terminate)

    def terminate(self) -> None:
        """End the transaction and have the layer forget it."""
        self._stop()
        self.state = State.TERMINATED
        self.layer.forget(self)


class ClientTransaction(_Transaction):
    """Our request, until its final response is handled.

    An INVITE goes CALLING → PROCEEDING → COMPLETED after a refusal, whose ACK is sent here, or
    ACCEPTED after a 2xx, whose ACK the call sends. Other requests go TRYING → PROCEEDING →
    COMPLETED. In the last two states only retransmissions are waited for.

    ``on_response`` gets each provisional, the first final response, and for an INVITE every further
    2xx (each needs an ACK). Timeout and transport failure give a final response of our own, 408 or
    503 (RFC 3261 section 8.1.3.1), whose ``received`` is None.
    """

    def __init__(
        self, layer: TransactionLayer, request: Request, flow: Flow, on_response: OnResponse
    ) -> None:
        super().__init__(layer, request, flow)
        self.request = request
        #: What responses match (RFC 3261 section 17.1.3).
        self.key = (request.via.branch, request.method)
        self._on_response = on_response
        self._ack: Request | None = None
        self._to_cancel = self._is_cancelled = False
        self.state = State.CALLING if self.is_invite else State.TRYING

    def begin(self) -> None:
        """Send the request and start its timers."""
        self.flow.send(self.request.raw)
        if not self.flow.reliable:
            self._start("A/E", self._interval, self._retransmit)
        self._start("B/F", self.timers.transaction, self._timed_out)

    def _retransmit(self) -> None:
        """Send again: timer A for an INVITE, timer E for the others."""
        self.flow.send(self.request.raw)
        self._interval *= 2  # timer A is not capped, timer E is (RFC 3261 section 17.1.2.2)
        if not self.is_invite:
            self._interval = min(self._interval, self.timers.t2)
            if self.state is State.PROCEEDING:
                self._interval = self.timers.t2
        self._start("A/E", self._interval, self._retransmit)

    def receive(self, response: Response) -> None:
        """A response that matches."""
        if self.state is State.COMPLETED and self.is_invite and response.status >= 300:
            self._send_ack(response)
        if self.state in (State.COMPLETED, State.TERMINATED):
            return
        if self.state is State.ACCEPTED and not response.is_success:
            return
        if not response.is_final:
            self.state = State.PROCEEDING
            if self.is_invite:
                self._stop("A/E", "B/F")
        elif not self.is_invite:
            self._finish(State.COMPLETED, self.timers.t4, "K")
        elif not response.is_success:
            self._send_ack(response)
            self._finish(State.COMPLETED, self.timers.transaction, "D")
        elif self.state is not State.ACCEPTED:
            self._finish(State.ACCEPTED, self.timers.transaction, "M")
        self._on_response(response)
        self._send_cancel()

    def _send_ack(self, response: Response) -> None:
        """ACK a non-2xx response: part of this transaction (RFC 3261 section 17.1.1.3)."""
        if self._ack is None:
            self._ack = self._related("ACK", response.get("To") or "")
        self.flow.send(self._ack.raw)

    def _related(self, method: str, to: str) -> Request:
        """An ACK or a CANCEL, which have Via and Route of the INVITE (RFC 3261 sections 9.1 and
        17.1.1.3).
        """
        invite = self.request
        copied = ("max-forwards", "route", "from", "call-id")
        lines: list[tuple[str, str] | Header] = [
            ("Via", invite.values("Via")[0]),
            *(header for header in invite.headers if header.key in copied),
            ("To", to),
            ("CSeq", f"{invite.cseq.number} {method}"),
        ]
        return Request.build(method, invite.request_uri, lines)

    def cancel(self) -> None:
        """Ask to end a pending INVITE: the CANCEL leaves once a provisional response is there (RFC
        3261 9.1).
        """
        self._to_cancel = True
        self._send_cancel()

    def _send_cancel(self) -> None:
        """Send the CANCEL that was asked for, once, as soon as it may leave."""
        if not self._to_cancel or self._is_cancelled or self.state is not State.PROCEEDING:
            return
        self._is_cancelled = True
        cancel = self._related("CANCEL", self.request.get("To") or "")
        self.layer.begin_client(cancel, self.flow, lambda response: None)
        # RFC 3261 section 9.1: without a final response in 64*T1, the INVITE is given up.
        self._start("B/F", self.timers.transaction, self._timed_out)

    def _timed_out(self) -> None:
        self._fail(408, None)

    def transport_failed(self, error: Exception | None) -> None:
        """The flow is gone, or an ICMP error came back."""
        if self.state in (State.CALLING, State.TRYING, State.PROCEEDING):
            self._fail(503, None if error is None else " ".join(str(error).split()))

    def _fail(self, status: int, reason: str | None) -> None:
        self.terminate()
        self._on_response(Response.to_request(self.request, status, reason))


class ServerTransaction(_Transaction):
    """A peer's request, until its final response is handled.

    An INVITE goes PROCEEDING → ACCEPTED after a 2xx, which the call repeats itself, or COMPLETED
    after a refusal, which is repeated here until its ACK comes (CONFIRMED). Other requests go
    TRYING → PROCEEDING → COMPLETED.

    ``on_cancel`` gets the CANCEL of an INVITE not answered finally yet. The ACK of a 2xx belongs to
    the dialog.

    An answered transaction only waits for retransmissions (32 s over UDP), and a busy node has
    thousands of them. When they kept parsed messages and whole calls, a garbage collection took
    half a second, in which no audio was sent; so an answered one keeps the octets of its answer
    alone.
    """

    def __init__(
        self, layer: TransactionLayer, request: Request, flow: Flow, key: ServerKey
    ) -> None:
        super().__init__(layer, request, flow)
        self.key = key
        self.on_cancel: Callable[[], None] | None = None
        self._request: Request | None = request
        self._last: tuple[Flow, bytes] | None = None
        self.state = State.PROCEEDING if self.is_invite else State.TRYING
        if self.is_invite:
            self._start("trying", self.timers.trying, self._respond_trying)
        else:
            # Its client gives up after timer F.
            self._start("F", self.timers.transaction, self.terminate)

    def _respond_trying(self) -> None:
        self.respond(Response.to_request(self.request, 100))

    @property
    def request(self) -> Request:
        """What is to be answered. Raises LookupError once it is."""
        if self._request is None:
            raise LookupError("an answered transaction keeps its answer alone")
        return self._request

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given, or can no longer be."""
        return self.state not in (State.TRYING, State.PROCEEDING)

    def respond(self, response: Response) -> None:
        """Send a response. After a final one only an INVITE's further 2xx still goes out (RFC 6026
        7.1).
        """
        is_further_2xx = self.state is State.ACCEPTED and response.is_success
        if self.is_answered and not is_further_2xx:
            _log.debug("%d to an answered request is not sent", response.status)
            return
        self._stop("trying")
        try:
            self._last = self.layer.transport.response_flow(response, self.flow), response.raw
        except SipSyntaxError as error:
            _log.debug("response cannot be sent: %s", error)
        self._repeat_last()
        if self.is_answered:
            return
        if not response.is_final:
            self.state = State.PROCEEDING
            return
        self._request = self.on_cancel = None
        if not self.is_invite:
            self._finish(State.COMPLETED, self.timers.transaction, "J")
        elif response.is_success:
            self._finish(State.ACCEPTED, self.timers.transaction, "L")
        else:
            self._finish(State.COMPLETED, self.timers.transaction, "H")
            if not self.flow.reliable:
                self._start("G", self._interval, self._repeat)

    def _repeat(self) -> None:
        self._repeat_last()
        self._interval = min(self._interval * 2, self.timers.t2)
        self._start("G", self._interval, self._repeat)

    def _repeat_last(self) -> None:
        if self._last is not None:
            flow, data = self._last
            flow.send(data)

    def receive(self, request: Request) -> None:
        """A retransmission, or the ACK of a non-2xx response."""
        if request.method == "ACK":
            if self.state is State.COMPLETED:
                self._finish(State.CONFIRMED, self.timers.t4, "I")
        elif self.state in (State.PROCEEDING, State.COMPLETED):
            self._repeat_last()


_MOST_OF_ONE_SOURCE = 2000  # server transactions that are kept; those of UDP stay for 64*T1


def new_token() -> str:
    """A tag, or the left part of a Call-ID."""
    return secrets.token_hex(8)


class TransactionLayer:
    """The transactions of one node.

    Up go requests that are new (to ``request_arrived``) and the ACKs of 2xx responses (to
    ``ack_arrived``), which belong to dialogs. All else is done here: retransmissions are absorbed
    or answered, a CANCEL goes to its INVITE, a response to the request that it answers, and what
    no transaction waits for is dropped.
    """

    transport: TransportLayer
    """The layer below; its maker sets it."""

    def __init__(
        self,
        timers: Timers,
        request_arrived: Callable[[ServerTransaction], None],
        ack_arrived: Callable[[Request, Flow], None],
    ) -> None:
        self.timers = timers
        self._request_arrived, self._ack_arrived = request_arrived, ack_arrived
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}
        self._sources: Counter[str] = Counter()

    def transactions(self) -> tuple[ClientTransaction | ServerTransaction, ...]:
        return (*self._clients.values(), *self._servers.values())

    def stop(self) -> None:
        """End all transactions without sending anything."""
        for transaction in self.transactions():
            transaction.terminate()

    # --- out ---------------------------------------------------------------------------------------

    def send_request(
        self, request: Request, flow: Flow, on_response: OnResponse
    ) -> ClientTransaction:
        """Put our Via on top of a new request and send it."""
        return self.begin_client(self._with_via(request, flow), flow, on_response)

    def begin_client(
        self, request: Request, flow: Flow, on_response: OnResponse
    ) -> ClientTransaction:
        """Send a request that has its Via already."""
        transaction = ClientTransaction(self, request, flow, on_response)
        self._clients[transaction.key] = transaction
        transaction.begin()
        return transaction

    def send_ack(self, request: Request, flow: Flow) -> Request:
        """Send the ACK of a 2xx: a transaction of its own that waits for nothing. Returns it with
        its Via.
        """
        ack = self._with_via(request, flow)
        flow.send(ack.raw)
        return ack

    def _with_via(self, request: Request, flow: Flow) -> Request:
        branch = MAGIC_COOKIE + secrets.token_hex(10)
        return request.adding("Via", str(self.transport.via(flow, branch)), top=True)

    def _respond_statelessly(
        self, request: Request, flow: Flow, status: int, reason: str | None = None
    ) -> None:
        if request.method != "ACK":
            response = Response.to_request(request, status, reason, tag=new_token())
            self.transport.response_flow(response, flow).send(response.raw)

    def forget(self, transaction: _Transaction) -> None:
        """A transaction is over."""
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(transaction.key, None)
        if isinstance(transaction, ServerTransaction):
            known = self._servers.pop(transaction.key, None)
            if known is not None:
                self._forget_source(transaction.flow.remote[0])

    def _forget_source(self, source: str) -> None:
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    # --- in ----------------------------------------------------------------------------------------

    def request_received(self, request: Request, flow: Flow) -> None:
        """Handle a request: malformed, retransmitted, ACK, CANCEL, or new."""
        problem = problem_of_request(request)
        if problem is not None:
            self._respond_statelessly(request, flow, problem.status, problem.reason)
            return
        key = _server_key(request)
        known = self._servers.get(key)
        if request.method == "ACK":
            if known is not None and known.state is not State.ACCEPTED:
                known.receive(request)
            else:
                self._ack_arrived(request, flow)
        elif known is not None:
            known.receive(request)
        elif self._sources[flow.remote[0]] >= _MOST_OF_ONE_SOURCE:
            # A flood takes no memory: further requests are answered statelessly (RFC 3261 section
            # 8.2.7).
            self._respond_statelessly(request, flow, 503)
        else:
            transaction = ServerTransaction(self, request, flow, key)
            self._servers[key] = transaction
            self._sources[flow.remote[0]] += 1
            if request.method == "CANCEL":
                self._cancel(transaction)
            else:
                self._request_arrived(transaction)

    def _cancel(self, transaction: ServerTransaction) -> None:
        """RFC 3261 section 9.2: the CANCEL is answered itself, whatever becomes of its INVITE."""
        request = transaction.request
        target = self._servers.get(_server_key(request, method="INVITE"))
        is_known = target is not None and target.flow.remote[0] == transaction.flow.remote[0]
        transaction.respond(Response.to_request(request, 200 if is_known else 481, tag=new_token()))
        if target is not None and is_known and target.on_cancel is not None:
            target.on_cancel()

    def response_received(self, response: Response) -> None:
        """Hand a response to its transaction. One that none waits for is dropped (RFC 3261 section
        18.1.2).
        """
        transaction = self._clients.get((response.via.branch, response.cseq.method))
        # More than one Via: the response was misrouted (RFC 3261 section 8.1.3.3).
        if transaction is not None and len(response.vias) == 1:
            transaction.receive(response)

    def flow_failed(self, flow: Flow, error: Exception | None) -> None:
        """Tell the client transactions that wait on that flow."""
        for transaction in list(self._clients.values()):
            if transaction.flow is flow or _is_same_udp(transaction.flow, flow):
                transaction.transport_failed(error)


def _is_same_udp(one: Flow, other: Flow) -> bool:
    """Whether both are datagrams between the same ports: a flow of UDP is made for each use."""
    if other.reliable:
        return False
    ends = (other.transport, other.local, other.remote)
    return (one.transport, one.local, one.remote) == ends


def _server_key(request: Request, method: str | None = None) -> ServerKey:
    """What makes a request part of a transaction: the ACK and the CANCEL's target have the INVITE's
    key.

    Call-ID and CSeq tell requests apart whose branch is not unique (RFC 2543).
    """
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    host, port = request.via.sent_by
    return method, request.via.branch, host, str(port), request.call_id, str(request.cseq.number)


async def transact(
    layer: TransactionLayer,
    request: Request,
    flow: Callable[[], Flow],
    *,
    digest: DigestClient | None = None,
    next_cseq: Callable[[], int] | None = None,
    on_more: OnResponse = lambda response: None,
) -> Response:
    """Send a built request (without Via), answer challenges, and return its final response, a local
    408 or 503 included.

    ``on_more`` gets the further 2xx of an INVITE.
    """
    for _ in range(3):
        try:
            way = flow()
        except LookupError as error:
            return Response.to_request(request, 503, str(error))
        response = await _once(layer, request, way, on_more)
        if not response.is_challenge or digest is None:
            return response
        again = digest.answer(request, response)
        if again is None:
            return response
        number = next_cseq() if next_cseq else request.cseq.number + 1
        request = again.setting("CSeq", f"{number} {request.method}")
    return response


async def _once(
    layer: TransactionLayer, request: Request, flow: Flow, on_more: OnResponse
) -> Response:
    """Send a request and wait for its final response; later ones go to ``on_more``."""
    final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def responded(response: Response) -> None:
        if final.done():
            on_more(response)
        elif response.is_final:
            final.set_result(response)

    layer.send_request(request, flow, responded)
    return await final
