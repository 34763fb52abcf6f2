"""The transaction layer of one node: which transaction a message belongs to (RFC 3261 sections 17.1.3, 17.2.3)."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import MAGIC_COOKIE
from harness.sip.message import Request, Response
from harness.sip.validation import problem_of_request
from harness.world.wire.layer import TransportLayer
from harness.world.wire.timers import Timers
from harness.world.wire.transaction import (
    ClientTransaction,
    Failure,
    Origin,
    ServerKey,
    ServerTransaction,
    State,
)
from harness.world.wire.transport import Flow

_MOST_OF_ONE_SOURCE, _MOST = 2000, 10_000  # server transactions that are kept; those of UDP stay for 64*T1


class TransactionUser(Protocol):
    """Gets what belongs to no transaction yet."""

    def request_arrived(self, transaction: ServerTransaction) -> None:
        """A new request, other than ACK and CANCEL."""

    def ack_arrived(self, request: Request, flow: Flow) -> None:
        """The ACK of a 2xx, which belongs to a dialog."""

    def response_strayed(self, response: Response, flow: Flow) -> None:
        """A response no transaction waits for, such as a very late 2xx."""

    def flow_opened(self, flow: Flow) -> None:
        """A connection is up."""

    def flow_failed(self, flow: Flow, error: Exception | None) -> None:
        """A connection ended; client transactions on it have been told."""


def new_branch() -> str:
    """A branch parameter that is unique in space and time."""
    return MAGIC_COOKIE + secrets.token_hex(10)


def new_token() -> str:
    """A tag, or the left part of a Call-ID."""
    return secrets.token_hex(8)


class TransactionLayer:
    """The transactions of one node."""

    def __init__(self, user: TransactionUser, timers: Timers) -> None:
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
        """The transactions that are not terminated."""
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
        """See TransportLayer."""
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
            # A flood takes no memory: what comes beyond is forgotten with its answer (RFC 3261 section 8.2.7).
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
        # More than one Via: it was meant for somebody behind us (RFC 3261 section 8.1.3.3).
        if transaction is None or len(response.vias) > 1:
            self._user.response_strayed(response, flow)
        else:
            transaction.receive(response)

    def flow_opened(self, flow: Flow) -> None:
        """See TransportUser."""
        self._user.flow_opened(flow)

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
    # RFC 2543 clients: no unique branch, so the request itself has to tell.
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
