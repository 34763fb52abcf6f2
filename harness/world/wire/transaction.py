"""Client and server transactions by RFC 3261 section 17, with the accepted state of RFC 6026."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import Header
from harness.sip.message import Message, Request, Response
from harness.world.wire.timers import Timers
from harness.world.wire.transport import Flow

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


class Transactions(Protocol):
    """The transaction layer, as its transactions see it."""

    timers: Timers

    def begin_client(
        self,
        request: Request,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Failure, Exception | None], None],
    ) -> ClientTransaction:
        """Send a request that has its Via already."""

    def response_flow(self, response: Response, flow: Flow) -> Flow:
        """Where a response goes. Raises LookupError and SipSyntaxError."""

    def forget_client(self, transaction: ClientTransaction) -> None:
        """A client transaction is over."""

    def forget_server(self, transaction: ServerTransaction) -> None:
        """A server transaction is over."""


class _Transaction:
    """What both kinds of transactions share: timers by their letters."""

    def __init__(self, layer: Transactions, request: Request, flow: Flow) -> None:
        self.layer = layer
        self.is_invite = request.method == "INVITE"
        self.flow = flow
        self._running: dict[str, asyncio.TimerHandle] = {}

    @property
    def timers(self) -> Timers:
        """The node's."""
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
    """A request of ours until its final response is dealt with.

    ``on_response`` gets each provisional, the first final response, and for an INVITE every further 2xx (of other
    forks, and retransmissions: each needs an ACK). ``on_failure`` comes instead of a final response.
    """

    def __init__(
        self,
        layer: Transactions,
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
    """A request of a peer until its final response is dealt with.

    ``on_cancel`` gets the CANCEL of an INVITE not answered finally yet; ``on_timeout`` says that no ACK came for a
    non-2xx response (timer H). The ACK of a 2xx belongs to the dialog.

    An answered transaction only waits for retransmissions (32 s over UDP), and a busy node has thousands of them. When
    they kept parsed messages and whole calls, a garbage collection took half a second, in which no audio was sent; so an
    answered one keeps the octets of its answer alone.
    """

    def __init__(self, layer: Transactions, request: Request, flow: Flow, key: ServerKey, origin: Origin) -> None:
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
            # Its client gives up after timer F, so nobody waits for an answer after that.
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
