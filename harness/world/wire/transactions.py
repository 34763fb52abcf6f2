"""Timers, client and server transactions, and the layer that matches messages to them (RFC 3261 section 17, RFC 6026)."""

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
from harness.sip.message import Message, Request, Response
from harness.sip.validation import problem_of_request
from harness.world.wire.layer import TransportLayer
from harness.world.wire.transport import Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent


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

    @property
    def transaction(self) -> float:
        """64*T1: timers B, F, H, L, M, and J over unreliable transports."""
        return 64 * self.t1

    def linger(self, reliable: bool) -> float:
        """Timers D and J: how long a completed transaction absorbs retransmissions.

        RFC 3261 asks of D "at least 32 s" for UDP, which is 64*T1 at the default T1.
        """
        return 0.0 if reliable else self.transaction

    def clear(self, reliable: bool) -> float:
        """Timers I and K: T4, nothing over reliable transports."""
        return 0.0 if reliable else self.t4


_log = logging.getLogger(__name__)


ServerKey = tuple[str, ...]
"""What makes a request part of a server transaction (RFC 3261 section 17.2.3)."""
Origin = tuple[str, str, int, str]
"""From tag, Call-ID, CSeq: the same in all copies of a request that forked on its way."""


class State(Enum):
    """Where a transaction stands (RFC 3261 figures 5 to 8, RFC 6026 figures 1 and 2)."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Failure(Enum):
    """Why a client transaction ends without a final response."""

    TIMEOUT = 408
    """Timer B or F (RFC 3261 section 8.1.3.1 makes it a 408)."""
    TRANSPORT = 503
    """The transport failed (the same section makes it a 503)."""


class _Transaction:
    """What both kinds of transactions share: timers by their letters."""

    def __init__(self, layer: TransactionLayer, request: Request, flow: Flow) -> None:
        self.layer = layer
        self.is_invite = request.method == "INVITE"
        self.flow = flow
        self._running: dict[str, asyncio.TimerHandle] = {}

    @property
    def timers(self) -> Timers:
        return self.layer.timers

    def _start(self, letter: str, seconds: float, fire: Callable[[], None]) -> None:
        self._stop(letter)
        self._running[letter] = asyncio.get_running_loop().call_later(seconds, fire)

    def _stop(self, *letters: str) -> None:
        for letter in letters:
            handle = self._running.pop(letter, None)
            if handle is not None:
                handle.cancel()

    def _stop_all(self) -> None:
        self._stop(*list(self._running))


class ClientTransaction(_Transaction):
    """Our request, until its final response is handled.

    ``on_response`` gets each provisional, the first final response, and for an INVITE every further 2xx (of other
    forks, and retransmissions: each needs an ACK). ``on_failure`` comes instead of a final response.
    """

    def __init__(
        self,
        layer: TransactionLayer,
        request: Request,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure, Exception | None], None],
    ) -> None:
        super().__init__(layer, request, flow)
        self.request = request
        self._on_response = on_response
        self._on_failure = on_failure
        self._interval = self.timers.t1
        self._ack: Request | None = None
        self._cancel: tuple[tuple[Header, ...], Callable[[Response], None] | None] | None = None
        self._cancelled = False
        self.state = State.CALLING if self.is_invite else State.TRYING

    @property
    def key(self) -> tuple[str, str]:
        """What responses match (RFC 3261 section 17.1.3)."""
        return self.request.via.branch, self.request.method

    def begin(self) -> None:
        """Send the request and start its timers."""
        self.flow.send(self.request.raw)
        if not self.flow.reliable:
            self._start("A" if self.is_invite else "E", self._interval, self._retransmit)
        self._start("B" if self.is_invite else "F", self.timers.transaction, self._timed_out)

    def _retransmit(self) -> None:
        self.flow.send(self.request.raw)
        if self.is_invite:
            self._interval *= 2  # timer A is not capped
            self._start("A", self._interval, self._retransmit)
        else:
            proceeding = self.state is State.PROCEEDING
            self._interval = self.timers.t2 if proceeding else min(self._interval * 2, self.timers.t2)
            self._start("E", self._interval, self._retransmit)

    def receive(self, response: Response) -> None:
        """A response that matches."""
        if self.is_invite:
            self._receive_invite(response)
        elif self.state in (State.TRYING, State.PROCEEDING):
            if response.is_final:
                self._stop("E", "F")
                self._complete(self.timers.clear(self.flow.reliable), "K")
            else:
                self.state = State.PROCEEDING
            self._on_response(response)

    def _receive_invite(self, response: Response) -> None:
        if response.is_success and self.state in (State.CALLING, State.PROCEEDING, State.ACCEPTED):
            if self.state is not State.ACCEPTED:
                self._stop_all()
                self.state = State.ACCEPTED
                self._start("M", self.timers.transaction, self.terminate)
            self._on_response(response)
        elif self.state in (State.CALLING, State.PROCEEDING):
            if response.is_final:
                self._stop_all()
                self._send_ack(response)
                self._complete(self.timers.linger(self.flow.reliable), "D")
            else:
                self._stop("A", "B")
                self.state = State.PROCEEDING
            self._on_response(response)
            self._send_cancel()
        elif self.state is State.COMPLETED and response.status >= 300:
            self._send_ack(response)

    def _complete(self, seconds: float, letter: str) -> None:
        self.state = State.COMPLETED
        if seconds:
            self._start(letter, seconds, self.terminate)
        else:
            self.terminate()

    def _send_ack(self, response: Response) -> None:
        """ACK a non-2xx response: part of this transaction (RFC 3261 section 17.1.1.3)."""
        if self._ack is None:
            self._ack = Request.build(
                "ACK",
                self.request.request_uri,
                [
                    ("Via", self.request.values("Via")[0]),
                    *(h for h in self.request.headers if h.key in ("route", "max-forwards", "from", "call-id")),
                    ("To", response.get("To") or ""),
                    ("CSeq", f"{self.request.cseq.number} ACK"),
                ],
            )
        self.flow.send(self._ack.raw)

    def cancel(
        self,
        headers: tuple[Header, ...] = (),
        on_response: Callable[[Response], None] | None = None,
    ) -> None:
        """Ask to end a pending INVITE: the CANCEL leaves once a provisional response is there (RFC 3261 9.1)."""
        if not self.is_invite or self._cancel is not None:
            return
        self._cancel = (headers, on_response)
        self._send_cancel()

    def _send_cancel(self) -> None:
        if self._cancel is None or self._cancelled or self.state is not State.PROCEEDING:
            return
        self._cancelled = True
        headers, on_response = self._cancel
        copied = ("max-forwards", "route", "from", "to", "call-id")
        request = Request.build(
            "CANCEL",
            self.request.request_uri,
            [
                ("Via", self.request.values("Via")[0]),
                *(header for header in self.request.headers if header.key in copied),
                ("CSeq", f"{self.request.cseq.number} CANCEL"),
                *headers,
            ],
        )
        self.layer.begin_client(request, self.flow, on_response or (lambda response: None), lambda failure, error: None)
        # RFC 3261 section 9.1: without a final response in 64*T1, the INVITE is given up.
        self._start("B", self.timers.transaction, self._timed_out)

    def _timed_out(self) -> None:
        self._fail(Failure.TIMEOUT, None)

    def transport_failed(self, error: Exception | None) -> None:
        """The flow is gone, or an ICMP error came back."""
        if self.state in (State.CALLING, State.TRYING, State.PROCEEDING):
            self._fail(Failure.TRANSPORT, error)

    def _fail(self, failure: Failure, error: Exception | None) -> None:
        self.terminate()
        self._on_failure(failure, error)

    def terminate(self) -> None:
        """End the transaction and have the layer forget it."""
        self._stop_all()
        self.state = State.TERMINATED
        self.layer.forget_client(self)


class ServerTransaction(_Transaction):
    """A peer's request, until its final response is handled.

    ``on_cancel`` gets the CANCEL of an INVITE not answered finally yet; ``on_timeout`` says that no ACK came for a
    non-2xx response (timer H). The ACK of a 2xx belongs to the dialog.

    An answered transaction only waits for retransmissions (32 s over UDP), and a busy node has thousands of them. When
    they kept parsed messages and whole calls, a garbage collection took half a second, in which no audio was sent; so an
    answered one keeps the octets of its answer alone.
    """

    def __init__(self, layer: TransactionLayer, request: Request, flow: Flow, key: ServerKey, origin: Origin) -> None:
        super().__init__(layer, request, flow)
        self.key, self.origin = key, origin
        self.on_cancel: Callable[[Request], None] | None = None
        self.on_timeout: Callable[[], None] | None = None
        self._request: Request | None = request
        self._last: bytes | None = None
        self._interval = self.timers.t1
        self.state = State.PROCEEDING if self.is_invite else State.TRYING
        if self.is_invite:
            self._start("trying", self.timers.trying, self._say_trying)
        else:
            # Its client gives up after timer F.
            self._start("F", self.timers.transaction, self.terminate)

    @property
    def request(self) -> Request:
        """What is to be answered. Raises LookupError once it is."""
        if self._request is None:
            raise LookupError("an answered transaction keeps its answer alone")
        return self._request

    @property
    def last_response(self) -> Response | None:
        """What was answered last."""
        if self._last is None:
            return None
        response = Message.parse(self._last)
        assert isinstance(response, Response)
        return response

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given, or can no longer be."""
        return self.state not in (State.TRYING, State.PROCEEDING)

    def _say_trying(self) -> None:
        if self._last is None:
            self.respond(Response.to_request(self.request, 100))

    def respond(self, response: Response) -> None:
        """Send a response. After a final one only an INVITE's further 2xx still goes out (RFC 6026 7.1)."""
        if self.state is State.ACCEPTED and response.is_success:
            self._send(response)
            return
        if self.is_answered:
            _log.debug("%d to an answered %s is not sent", response.status, response.cseq.method)
            return
        self._stop("trying")
        self._last = response.raw
        self._send(response)
        if not response.is_final:
            self.state = State.PROCEEDING
            return
        self._stop_all()
        self._request = self.on_cancel = None
        if not self.is_invite:
            self._finish(State.COMPLETED, self.timers.linger(self.flow.reliable), "J")
        elif response.is_success:
            self._finish(State.ACCEPTED, self.timers.transaction, "L")
        else:
            self.state = State.COMPLETED
            if not self.flow.reliable:
                self._start("G", self._interval, self._repeat)
            self._start("H", self.timers.transaction, self._no_ack)

    def _send(self, response: Response) -> None:
        try:
            self.layer.response_flow(response, self.flow).send(response.raw)
        except (LookupError, SipSyntaxError) as error:
            _log.debug("response cannot be sent: %s", error)

    def _finish(self, state: State, seconds: float, letter: str) -> None:
        self.state = state
        if seconds:
            self._start(letter, seconds, self.terminate)
        else:
            self.terminate()

    def _repeat(self) -> None:
        self._repeat_last()
        self._interval = min(self._interval * 2, self.timers.t2)
        self._start("G", self._interval, self._repeat)

    def _repeat_last(self) -> None:
        last = self.last_response
        if last is not None:
            self._send(last)

    def _no_ack(self) -> None:
        self.terminate()
        if self.on_timeout is not None:
            self.on_timeout()

    def receive(self, request: Request) -> None:
        """A retransmission, or the ACK of a non-2xx response."""
        if request.method == "ACK":
            if self.state is State.COMPLETED:
                self._stop("G", "H")
                self._finish(State.CONFIRMED, self.timers.clear(self.flow.reliable), "I")
        elif self.state in (State.PROCEEDING, State.COMPLETED):
            self._repeat_last()

    def cancel(self, request: Request) -> None:
        """The peer's CANCEL of this INVITE."""
        if not self.is_answered and self.on_cancel is not None:
            self.on_cancel(request)

    def terminate(self) -> None:
        """End the transaction and have the layer forget it."""
        self._stop_all()
        self.state = State.TERMINATED
        self.layer.forget_server(self)


_MOST_OF_ONE_SOURCE, _MOST = 2000, 10_000  # server transactions that are kept; those of UDP stay for 64*T1


def new_branch() -> str:
    """A branch parameter that is unique in space and time."""
    return MAGIC_COOKIE + secrets.token_hex(10)


def new_token() -> str:
    """A tag, or the left part of a Call-ID."""
    return secrets.token_hex(8)


class TransactionLayer:
    """The transactions of one node."""

    def __init__(self, user: UserAgent, timers: Timers) -> None:
        self.timers = timers
        self._user = user
        self._transport: TransportLayer | None = None
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}
        self._origins: dict[Origin, set[ServerTransaction]] = {}
        self._sources: Counter[str] = Counter()

    @property
    def transport(self) -> TransportLayer:
        """The layer below."""
        if self._transport is None:
            raise RuntimeError("the transport layer is not attached")
        return self._transport

    def attach(self, transport: TransportLayer) -> None:
        """Set the transport layer below."""
        self._transport = transport

    def transactions(self) -> tuple[ClientTransaction | ServerTransaction, ...]:
        return (*self._clients.values(), *self._servers.values())

    def stop(self) -> None:
        """End all transactions without sending anything."""
        for transaction in self.transactions():
            transaction.terminate()

    # --- out ---------------------------------------------------------------------------------------

    def send_request(
        self,
        request: Request,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure, Exception | None], None],
    ) -> ClientTransaction:
        """Put our Via on top of a new request and send it."""
        via = self.transport.via(flow, new_branch())
        return self.begin_client(request.adding("Via", str(via), top=True), flow, on_response, on_failure)

    def begin_client(
        self,
        request: Request,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure, Exception | None], None],
    ) -> ClientTransaction:
        """Send a request that has its Via already."""
        transaction = ClientTransaction(self, request, flow, on_response, on_failure)
        self._clients[transaction.key] = transaction
        transaction.begin()
        return transaction

    def send_ack(self, request: Request, flow: Flow) -> Request:
        """Send the ACK of a 2xx: a transaction of its own that waits for nothing. Returns it with its Via."""
        via = self.transport.via(flow, new_branch())
        ack = request.adding("Via", str(via), top=True)
        flow.send(ack.raw)
        return ack

    def response_flow(self, response: Response, flow: Flow) -> Flow:
        return self.transport.response_flow(response, flow)

    def respond_statelessly(self, request: Request, flow: Flow, status: int, reason: str | None = None) -> None:
        """Answer a request without a transaction for it."""
        if request.method == "ACK":
            return
        response = Response.to_request(request, status, reason, tag=new_token())
        self.response_flow(response, flow).send(response.raw)

    def forget_client(self, transaction: ClientTransaction) -> None:
        """A client transaction is over."""
        self._clients.pop(transaction.key, None)

    def forget_server(self, transaction: ServerTransaction) -> None:
        """A server transaction is over."""
        if self._servers.pop(transaction.key, None) is not None:
            source = transaction.flow.remote[0]
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]
        same = self._origins.get(transaction.origin, set())
        same.discard(transaction)
        if not same:
            self._origins.pop(transaction.origin, None)

    # --- in: TransportUser -------------------------------------------------------------------------

    def request_received(self, request: Request, flow: Flow) -> None:
        """Handle a request: malformed, retransmitted, ACK, CANCEL, or new."""
        problem = problem_of_request(request)
        if problem is not None:
            self.respond_statelessly(request, flow, problem.status, problem.reason)
            return
        key = _server_key(request)
        known = self._servers.get(key)
        if request.method == "ACK":
            if known is not None and known.state is not State.ACCEPTED:
                known.receive(request)
            else:
                self._user.ack_arrived(request, flow)
        elif known is not None:
            known.receive(request)
        elif len(self._servers) >= _MOST or self._sources[flow.remote[0]] >= _MOST_OF_ONE_SOURCE:
            # A flood takes no memory: further requests are answered statelessly (RFC 3261 section 8.2.7).
            self.respond_statelessly(request, flow, 503)
        else:
            transaction = ServerTransaction(self, request, flow, key, _origin(request))
            self._servers[key] = transaction
            self._sources[flow.remote[0]] += 1
            self._origins.setdefault(transaction.origin, set()).add(transaction)
            if request.method == "CANCEL":
                self._cancel(transaction)
            else:
                self._user.request_arrived(transaction)

    def _cancel(self, transaction: ServerTransaction) -> None:
        """RFC 3261 section 9.2: the CANCEL is answered itself, whatever becomes of its INVITE."""
        request = transaction.request
        target = self._servers.get(_server_key(request, method="INVITE"))
        if target is None or target.flow.remote[0] != transaction.flow.remote[0]:
            transaction.respond(Response.to_request(request, 481, tag=new_token()))
            return
        transaction.respond(Response.to_request(request, 200, tag=_tag_of(target.last_response)))
        target.cancel(request)

    def is_merged(self, transaction: ServerTransaction) -> bool:
        """Whether the same request came before by another path (RFC 3261 section 8.2.2.2)."""
        return transaction.request.to.tag is None and len(self._origins.get(transaction.origin, ())) > 1

    def response_received(self, response: Response, flow: Flow) -> None:
        """Hand a response to its transaction."""
        transaction = self._clients.get((response.via.branch, response.cseq.method))
        # More than one Via: the response was misrouted (RFC 3261 section 8.1.3.3).
        if transaction is None or len(response.vias) > 1:
            self._user.response_strayed(response, flow)
        else:
            transaction.receive(response)

    def flow_failed(self, flow: Flow, error: Exception | None) -> None:
        """Tell the client transactions that wait on that flow."""
        where = (flow.transport, flow.local, flow.remote)
        for transaction in list(self._clients.values()):
            mine = transaction.flow
            datagram = flow.transport == "udp" and (mine.transport, mine.local, mine.remote) == where
            if mine is flow or datagram:
                transaction.transport_failed(error)
        self._user.flow_failed(flow, error)


def _tag_of(response: Response | None) -> str:
    """The To tag given so far: the CANCEL's answer should carry the same (RFC 3261 section 9.2)."""
    try:
        return (response.to.tag if response else None) or new_token()
    except SipSyntaxError:
        return new_token()


def _origin(request: Request) -> Origin:
    return request.from_.tag or "", request.call_id, request.cseq.number, request.cseq.method


def _server_key(request: Request, method: str | None = None) -> ServerKey:
    """What makes a request part of a transaction: the ACK and the CANCEL's target have the INVITE's key."""
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    via = request.via
    host, port = via.sent_by
    if via.has_cookie:
        return method, via.branch, host, str(port)
    # RFC 2543 clients have no unique branch; the request itself is the key.
    own_tag = request.from_.tag or ""
    return (
        method,
        request.request_uri,
        own_tag,
        request.call_id,
        str(request.cseq.number),
        host,
        str(port),
        via.branch,
    )


async def transact(
    layer: TransactionLayer,
    request: Request,
    flow: Flow | Callable[[], Flow],
    *,
    digest: DigestClient | None = None,
    next_cseq: Callable[[], int] | None = None,
    on_more: Callable[[Response], None] | None = None,
) -> Response:
    """Send a built request (without Via), answer challenges, and return its final response, a local 408 or 503 included.

    ``on_more`` gets the further 2xx of an INVITE.
    """
    for _ in range(3):
        try:
            way = flow() if callable(flow) else flow
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
    layer: TransactionLayer, request: Request, flow: Flow, on_more: Callable[[Response], None] | None
) -> Response:
    final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def responded(response: Response) -> None:
        if not response.is_final:
            return
        if not final.done():
            final.set_result(response)
        elif response.is_success and on_more is not None:
            on_more(response)

    def failed(failure: Failure, error: Exception | None) -> None:
        if not final.done():
            reason = None if error is None else " ".join(str(error).split())
            final.set_result(Response.to_request(request, failure.value, reason))

    layer.send_request(request, flow, responded, failed)
    return await final
