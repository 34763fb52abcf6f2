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
        self.offer = sdp_of(transaction.request)
        """The SDP of the INVITE; None when it asks us to offer."""
        self.remote_sdp = self.offer
        self._tag = new_token()
        self.dialog = Dialog.of_server(transaction.request, self._tag, transaction.flow)
        self._acked: Waitable[bool] = Waitable()
        self._rseq = random.randint(1, 2**30)
        self._unpracked: Repeater | None = None
        self._pracked: Waitable[bool] = Waitable()
        self._reliable: list[tuple[int, HeaderPairs, bytes | None, Waitable[bool]]] = []
        self._answer_waits = False
        transaction.on_cancel = self._cancelled
        transaction.on_timeout = lambda: None  # a lost ACK of a rejection changes nothing

    @property
    def source(self) -> Address:
        """Where the INVITE came from, as the socket saw it."""
        return self.flow.remote

    # --- answers -----------------------------------------------------------------------------------

    def ring(self, headers: HeaderPairs = ()) -> None:
        """Send 180."""
        self.progress(180, headers=headers)

    def progress(
        self,
        status: int = 183,
        sdp: bytes | None = None,
        reliable: bool | None = None,
        headers: HeaderPairs = (),
    ) -> Waitable[bool]:
        """A provisional response, with an SDP for early media.

        ``reliable`` sends it by RFC 3262 and needs the caller's 100rel; None does so only where the caller requires
        it. Reliable ones follow one another, each after the PRACK of the last. What is returned may be awaited: True
        when a reliable one got its PRACK, False when it did not or was an ordinary one.
        """
        done: Waitable[bool] = Waitable()
        if self.state != "early" or self._transaction.is_answered:
            done.set(False)
            return done
        if sdp is not None:
            self.local_sdp = sdp
        required = "100rel" in self.request.tokens("Require")
        wanted = required if reliable is None else reliable
        if wanted and not (required or "100rel" in self.request.tokens("Supported")):
            raise ValueError("the caller does not support 100rel")
        if wanted and status > 100:
            self._reliable.append((status, tuple(headers), sdp, done))
            if self._unpracked is None:
                self._send_reliable()
        else:
            self._transaction.respond(self._response(status, None, self._provisional(headers, sdp), sdp))
            done.set(False)
        return done

    def _provisional(self, headers: HeaderPairs, sdp: bytes | None) -> HeaderPairs:
        return [
            *self._routes(),
            *self.target_headers(),
            *self.ua.capabilities(),
            *headers,
            *content_header(sdp),
        ]

    def _routes(self) -> list[tuple[str, str]]:
        # RFC 3261 section 12.1.1: responses that make a dialog copy Record-Route.
        return [("Record-Route", line) for line in self.request.get_all("Record-Route")]

    def _response(self, status: int, reason: str | None, headers: HeaderPairs, body: bytes | None) -> Response:
        return Response.to_request(self.request, status, reason, tag=self._tag, headers=headers, body=body or b"")

    def _send_reliable(self) -> None:
        status, headers, sdp, _ = self._reliable[0]
        self._rseq += 1
        lines = [*self._provisional(headers, sdp), ("Require", "100rel"), ("RSeq", str(self._rseq))]
        response = self._response(status, None, lines, sdp)
        self._unpracked = Repeater(
            self.ua.timers, lambda: self._transaction.respond(response), self._prack_missing, capped=False
        )

    def _prack_missing(self) -> None:
        # RFC 3262 section 3: the request is then rejected with a 5xx.
        self.reject(504, "No PRACK")

    def answer(self, sdp: bytes | None = None, headers: HeaderPairs = (), status: int = 200) -> None:
        """2xx, repeated until its ACK comes; without one the call is ended by BYE after 64*T1.

        Waits for the PRACK of a provisional that carried an SDP (RFC 3262 section 3). Nothing happens when the call
        is over or answered already.
        """
        if self.state != "early" or self._transaction.is_answered or self._answer_waits:
            return
        if self._unpracked is not None:
            self._answer_waits = True
            self.ua.spawn(self._answer_later(sdp, tuple(headers), status), "answer after PRACK")
            return
        if sdp is not None:
            self.local_sdp = sdp
        lines = [*self._routes(), *self.answer_headers(self.request), *headers, *content_header(sdp)]
        response = self._response(status, None, lines, sdp)
        self.state = "confirmed"
        if self.dialog is not None:
            self.dialog.confirmed = True
        repeater = Repeater(
            self.ua.timers,
            lambda: self._transaction.respond(response),
            lambda: self.ack_missing(self.request),
            capped=True,
        )
        self.await_ack(self.request.cseq.number, repeater)

    async def _answer_later(self, sdp: bytes | None, headers: HeaderPairs, status: int) -> None:
        while self._unpracked is not None and self.state == "early":
            await self._pracked.wait()
        self._answer_waits = False
        self.answer(sdp, headers, status)

    async def wait_acked(self, within: float | None = None) -> bool:
        """Whether the ACK of our 2xx came before the call ended. Raises TimeoutError."""
        return await self._acked.wait(within)

    def reject(self, status: int, reason: str | None = None, headers: HeaderPairs = ()) -> None:
        """A final response of 300 or above; nothing happens when the call is over or answered."""
        if self._reject(status, reason, headers):
            self._finish(End(How.REJECTED, "local", status, reason or ""))

    def _reject(self, status: int, reason: str | None, headers: HeaderPairs) -> bool:
        if self.state != "early" or self._transaction.is_answered:
            return False
        self._stop_reliable()
        self._transaction.respond(self._response(status, reason, headers, None))
        return True

    def _stop_reliable(self) -> None:
        if self._unpracked is not None:
            self._unpracked.stop()
            self._unpracked = None
        for _, _, _, done in self._reliable:
            done.set(False)
        self._reliable.clear()
        pracked, self._pracked = self._pracked, Waitable()
        pracked.set(False)

    # --- what the caller does ----------------------------------------------------------------------

    def _cancelled(self, cancel: Request) -> None:
        if self._reject(487, None, ()):
            self._finish(End(How.CANCELLED, "remote", 487, cancel.get("Reason") or "", cancel))

    def _receive_bye(self, incoming: InDialogRequest) -> None:
        # RFC 3261 section 15.1.2: a BYE in an early dialog ends the pending INVITE with 487.
        self._reject(487, None, ())
        super()._receive_bye(incoming)

    def _receive_prack(self, incoming: InDialogRequest) -> None:
        """RFC 3262 section 3: it has to name the provisional that waits for it."""
        wanted = f"{self._rseq} {self.request.cseq.number} INVITE"
        if self._unpracked is None or " ".join((incoming.request.get("RAck") or "").split()) != wanted:
            incoming.respond(481)
            return
        self._unpracked.stop()
        self._unpracked = None
        _, _, sdp, done = self._reliable.pop(0)
        if self.offer is None and sdp is not None and incoming.offer is not None:
            self.remote_sdp = incoming.offer  # our 18x offered, the PRACK answers
        incoming.respond(200)
        done.set(True)
        if self._reliable:
            self._send_reliable()
        pracked, self._pracked = self._pracked, Waitable()
        pracked.set(True)

    def ack_received(self, request: Request) -> None:
        super().ack_received(request)
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
