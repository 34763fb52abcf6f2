"""A call that comes in: the UAS side of an INVITE (RFC 3261 section 13.3, RFC 3262)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from harness.sip.message import HeaderPairs, Request, Response
from harness.world.wire.call import Call, InDialogRequest
from harness.world.wire.dialog import Dialog, End, How, Repeater, Waitable, content_header, sdp_of
from harness.world.wire.transactions import ServerTransaction, new_token
from harness.world.wire.transport import Address, Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent


class IncomingCall(Call):
    """An INVITE to be answered. `ring`, `progress`, `answer` and `reject` may be called at any time after."""

    def __init__(self, ua: UserAgent, transaction: ServerTransaction) -> None:
        request = transaction.request
        super().__init__(ua, request, ua.contact(transaction.flow.listen, request.uri.user))
        self._transaction = transaction
        self.flow: Flow = transaction.flow
        self.offer = sdp_of(request)
        """The SDP of the INVITE; None when it asks us to offer, which no node of the world does."""
        self.remote_sdp = self.offer
        self._tag = new_token()
        self.dialog = Dialog.of_server(request, self._tag, transaction.flow, self.contact)
        self._acked: Waitable[bool] = Waitable()
        # RFC 3262, where the caller requires it: responses that wait for a PRACK, each for that of the one before.
        self._is_reliable = "100rel" in request.tokens("Require")
        self._rseq = random.randint(1, 2**30)
        self._waiting: list[tuple[int, bytes | None]] = []
        self._unpracked: Repeater | None = None
        self._answer: bytes | None = None  # waits for the PRACKs, too
        transaction.on_cancel = self._cancelled

    @property
    def source(self) -> Address:
        """Where the INVITE came from, as the socket saw it."""
        return self.flow.remote

    # --- answers -----------------------------------------------------------------------------------

    def ring(self) -> None:
        """Send 180."""
        self.progress(180)

    def progress(self, status: int = 183, sdp: bytes | None = None) -> None:
        """A provisional response, with an SDP for early media; by RFC 3262 where the caller requires 100rel."""
        if not self._is_open:
            return
        self.note_exchange(offer=None, answer=sdp)
        if not self._is_reliable or status == 100:
            self._transaction.respond(self._provisional(status, sdp))
            return
        self._waiting.append((status, sdp))
        if self._unpracked is None:
            self._send_reliable()

    @property
    def _is_open(self) -> bool:
        return self.state == "early" and not self._transaction.is_answered

    def _provisional(self, status: int, sdp: bytes | None, headers: HeaderPairs = ()) -> Response:
        lines = [("Contact", str(self.contact)), *self.ua.capabilities(), *headers, *content_header(sdp)]
        return self._response(status, None, [*self._routes(), *lines], sdp)

    def _routes(self) -> list[tuple[str, str]]:
        # RFC 3261 section 12.1.1: responses that make a dialog copy Record-Route.
        return [("Record-Route", line) for line in self.request.get_all("Record-Route")]

    def _response(self, status: int, reason: str | None, headers: HeaderPairs, body: bytes | None) -> Response:
        return Response.to_request(self.request, status, reason, tag=self._tag, headers=headers, body=body or b"")

    def _send_reliable(self) -> None:
        status, sdp = self._waiting.pop(0)
        self._rseq += 1
        response = self._provisional(status, sdp, [("Require", "100rel"), ("RSeq", str(self._rseq))])
        self._unpracked = Repeater(
            self.ua.timers, lambda: self._transaction.respond(response), self._prack_missing, capped=False
        )

    def _prack_missing(self) -> None:
        # RFC 3262 section 3: the request is then rejected with a 5xx.
        self.reject(504, "No PRACK")

    def answer(self, sdp: bytes) -> None:
        """200, repeated until its ACK comes; without one the call is ended by BYE after 64*T1.

        Waits for outstanding PRACKs. Nothing happens when the call is over or answered already.
        """
        if not self._is_open:
            return
        if self._unpracked is not None:
            self._answer = sdp
            return
        self.local_sdp = sdp
        lines = [*self._routes(), *self.answer_headers(self.request), *content_header(sdp)]
        response = self._response(200, None, lines, sdp)
        self.state = "confirmed"
        self.repeat_until_acked(self.request, lambda: self._transaction.respond(response))

    async def wait_acked(self, within: float | None = None) -> bool:
        """Whether the ACK of our 2xx came before the call ended. Raises TimeoutError."""
        return await self._acked.wait(within)

    def reject(self, status: int, reason: str | None = None, headers: HeaderPairs = ()) -> None:
        """A final response of 300 or above; nothing happens when the call is over or answered."""
        if self._reject(status, reason, headers):
            self._finish(End(How.REJECTED, "local", status, reason or ""))

    def _reject(self, status: int, reason: str | None, headers: HeaderPairs) -> bool:
        if not self._is_open:
            return False
        self._stop_reliable()
        self._transaction.respond(self._response(status, reason, headers, None))
        return True

    def _stop_reliable(self) -> None:
        if self._unpracked is not None:
            self._unpracked.stop()
            self._unpracked = None
        self._waiting.clear()

    # --- what the caller does ----------------------------------------------------------------------

    def _cancelled(self, cancel: Request) -> None:
        if self._reject(487, None, ()):
            self._finish(End(How.CANCELLED, "remote", 487, cancel.get("Reason") or "", cancel))

    def _take(self, incoming: InDialogRequest) -> None:
        if incoming.method == "PRACK":
            self._take_prack(incoming)
            return
        if incoming.method == "BYE":
            # RFC 3261 section 15.1.2: a BYE in an early dialog ends the pending INVITE with 487.
            self._reject(487, None, ())
        super()._take(incoming)

    def _take_prack(self, incoming: InDialogRequest) -> None:
        """RFC 3262 section 3: it has to name the provisional that waits for it."""
        wanted = f"{self._rseq} {self.request.cseq.number} INVITE"
        if self._unpracked is None or " ".join((incoming.request.get("RAck") or "").split()) != wanted:
            incoming.respond(481)
            return
        self._unpracked.stop()
        self._unpracked = None
        incoming.respond(200)
        if self._waiting:
            self._send_reliable()
        elif self._answer is not None:
            self.answer(self._answer)

    def _ack_received(self, request: Request) -> None:
        super()._ack_received(request)
        if request.cseq.number == self.request.cseq.number:
            self._acked.set(True)

    def _finish(self, end: End) -> None:
        self._stop_reliable()
        if not self._bye_pending:
            self._acked.set(False)
        super()._finish(end)

    async def _before_bye(self) -> None:
        # Bounded: without an ACK, the transaction's own time is the wait.
        if self.end is not None and self.end.how is How.NO_ACK:
            self._acked.set(False)
        try:
            await self._acked.wait(self.ua.timers.transaction)
        except TimeoutError:
            self._acked.set(False)

    def _give_up(self) -> None:
        self.reject(603)
