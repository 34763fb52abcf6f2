"""Both sides of an INVITE: incoming calls (RFC 3261 section 13.3, RFC 3262) and outgoing calls
(section 13.2).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from harness.sip.digest import DigestClient
from harness.sip.grammar import SipSyntaxError, decimal
from harness.sip.message import HeaderPairs, Request, Response
from harness.world.wire.call import Call, InDialogRequest
from harness.world.wire.dialog import (
    CallFailedError,
    Dialog,
    End,
    How,
    Repeater,
    Waitable,
    content_header,
    sdp_of,
)
from harness.world.wire.transactions import ClientTransaction, ServerTransaction, new_token
from harness.world.wire.transport import Address, Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent

_log = logging.getLogger(__name__)
_MOST_TRIES = 4  # a challenge of each hop, a stale nonce


class IncomingCall(Call):
    """An INVITE to be answered. `ring`, `progress`, `answer` and `reject` may be called at any time
    after.

    A caller that requires 100rel (RFC 3262) gets one provisional response at a time: the next one,
    and the answer, wait for its PRACK.
    """

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
        # RFC 3262, where the caller requires it: responses that wait for a PRACK, each for that of
        # the one before.
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
        """A provisional response, with an SDP for early media; by RFC 3262 where the caller
        requires 100rel.
        """
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
        lines = [
            ("Contact", str(self.contact)),
            *self.ua.capabilities(),
            *headers,
            *content_header(sdp),
        ]
        return self._response(status, None, lines, sdp)

    def _response(
        self, status: int, reason: str | None, headers: HeaderPairs, body: bytes | None
    ) -> Response:
        return Response.to_request(
            self.request, status, reason, tag=self._tag, headers=headers, body=body or b""
        )

    def _send_reliable(self) -> None:
        """Send the provisional response that waits first, until its PRACK comes."""
        status, sdp = self._waiting.pop(0)
        self._rseq += 1
        numbered = [("Require", "100rel"), ("RSeq", str(self._rseq))]
        response = self._provisional(status, sdp, numbered)
        # RFC 3262 section 3: without a PRACK, the request is rejected with a 5xx.
        self._unpracked = Repeater(
            self.ua.timers,
            lambda: self._transaction.respond(response),
            lambda: self.reject(504, "No PRACK"),
            capped=False,
        )

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
        headers = [*self.answer_headers(self.request), *content_header(sdp)]
        response = self._response(200, None, headers, sdp)
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

    def _cancelled(self) -> None:
        if self._reject(487, None, ()):
            self._finish(End(How.CANCELLED, "remote", 487))

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
        wanted = [str(self._rseq), str(self.request.cseq.number), "INVITE"]
        named = (incoming.request.get("RAck") or "").split()
        if self._unpracked is None or named != wanted:
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
        """RFC 3261 section 15: the callee's BYE waits for the ACK of its 2xx."""
        # Bounded: without an ACK, the transaction's own time is the wait.
        if self.end is not None and self.end.how is How.NO_ACK:
            self._acked.set(False)
        try:
            await self._acked.wait(self.ua.timers.transaction)
        except TimeoutError:
            self._acked.set(False)

    def _give_up(self) -> None:
        self.reject(603)


class OutgoingCall(Call):
    """An INVITE under way. Made by `UserAgent.invite`; sent at once.

    `wait_answered` returns its 2xx or raises. Until then, each provisional response is reported to
    `on_provisional`, and a challenge is answered once for each hop. `cancel` may cross the 2xx: the
    call then stands, and is ended by BYE at once.

    ``dialog`` is that of the last response. No proxy forks the calls of the world's nodes: a 2xx of
    a second dialog is not acknowledged.
    """

    def __init__(
        self, ua: UserAgent, request: Request, flow: Flow, digest: DigestClient | None
    ) -> None:
        super().__init__(ua, request, request.contacts[0])
        self.digest = digest
        self.local_sdp = sdp_of(request)
        self.provisionals: list[Response] = []
        """All above 100 so far."""
        self.final: Response | None = None
        self.on_provisional: Callable[[Response], None] | None = None
        self.flow = flow
        self._rseq: int | None = None
        self._answered: Waitable[Response] = Waitable()
        self._cancelling = False
        self._tries = 0
        self._transaction: ClientTransaction | None = None
        self._send_invite(request)

    def _send_invite(self, request: Request) -> None:
        self._tries += 1
        self.request = request
        self._transaction = self.ua.layer.send_request(request, self.flow, self._responded)

    async def wait_answered(self, within: float | None = None) -> Response:
        """The 2xx. Raises CallFailedError when there is none, TimeoutError."""
        return await self._answered.wait(within)

    def cancel(self) -> None:
        """Give up before the answer. A 2xx that crosses the CANCEL is acknowledged and ended by
        BYE.
        """
        if self.state == "early" and not self._cancelling and self._transaction is not None:
            self._cancelling = True
            self._transaction.cancel()

    def _give_up(self) -> None:
        self.cancel()

    # --- responses ---------------------------------------------------------------------------------

    def _responded(self, response: Response) -> None:
        """Take a response of the INVITE; ``received`` is None for one that the transaction made
        itself.
        """
        if response.is_success:
            self._succeeded(response)
        elif not response.is_final:
            self._progressed(response)
        elif response.received is None:
            self._failed(response)
        elif not self._try_again(response):
            self._refused(response)

    def _failed(self, response: Response) -> None:
        """The transaction itself made the response: the transport failed, or nothing came."""
        if response.status == 503:
            how = How.UNREACHABLE
        elif self._cancelling:
            how = How.CANCELLED
        else:
            how = How.NO_ANSWER
        self._finish(End(how, "local", response.status, response.reason))

    def _progressed(self, response: Response) -> None:
        """Take a provisional response: it may create an early dialog, bring early media, need a
        PRACK.
        """
        if response.status == 100 or self.state != "early":
            return
        if response.to.tag is not None:  # without a tag there is no early dialog (section 12.1)
            try:
                self._learn_dialog(response)
            except SipSyntaxError as error:
                _log.debug("%s: provisional response without use: %s", self.ua.name, error)
                return
            if not self._is_in_sequence(response):
                return
        self.note_exchange(offer=sdp_of(response), answer=None)
        self.provisionals.append(response)
        if self.on_provisional is not None:
            self.on_provisional(response)

    def _learn_dialog(self, response: Response) -> Dialog:
        """The dialog of a response's To tag; one of another tag takes the place of the last one."""
        if self.dialog is None or self.dialog.remote.tag != response.to.tag:
            self.ua.forget_dialog(self)
            self.dialog = Dialog.of_client(self.request, response, self.flow)
            self._rseq = None
            self.ua.add_dialog(self)
        return self.dialog

    def _is_in_sequence(self, response: Response) -> bool:
        """Whether it is new; RFC 3262 section 4: reliable ones count in RSeq, and get a PRACK."""
        written = response.get("RSeq")
        is_reliable = "100rel" in response.tokens("Require") and written is not None
        if not is_reliable or self.dialog is None:
            return True
        rseq = decimal((written or "").strip(), most=2**32 - 1)
        if rseq is None:
            return False
        if self._rseq is not None and rseq != self._rseq + 1:
            return False  # sent again, or one before it was lost
        self._rseq = rseq
        prack = self.dialog.build("PRACK", [("RAck", f"{rseq} {response.cseq.number} INVITE")])
        self.ua.spawn(self._transact(prack), "PRACK")
        return True

    def _succeeded(self, response: Response) -> None:
        """Take a 2xx: acknowledge it, and again whenever it comes again (RFC 3261 section
        13.2.2.4).
        """
        if self.final is not None:
            if response.to.tag == self.final.to.tag:
                self._acknowledge_again(response)
            return
        # A 2xx without a usable dialog cannot be acknowledged, and not be ended by BYE either.
        try:
            dialog = self._learn_dialog(response)
        except SipSyntaxError as error:
            self._finish(End(How.REJECTED, "remote", response.status, str(error)))
            return
        dialog.take_response(response)
        dialog.flow = self.flow
        self.final = response
        self.note_exchange(offer=sdp_of(response), answer=None)
        self.acknowledge(response)
        if self.state == "ended":
            return
        self.state = "confirmed"
        if self._cancelling:
            # The 2xx crossed our CANCEL (RFC 3261 section 9.1): the call stands, and is ended at
            # once.
            self._not_answered(End(How.CANCELLED, "local", 487, "Request Terminated"))
            self.ua.spawn(self._bye(End(How.CANCELLED, "local")), "BYE after CANCEL")
            return
        self._session.accepted(response)
        self._answered.set(response)

    def _try_again(self, response: Response) -> bool:
        """A challenge: the same INVITE once more, with credentials."""
        if not response.is_challenge or self.digest is None:
            return False
        if self._cancelling or self._tries >= _MOST_TRIES:
            return False
        again = self.digest.answer(self.request, response)
        if again is None:
            return False
        # RFC 3261 section 22.2: a new transaction with the next CSeq, not in an early dialog.
        self.ua.forget_dialog(self)
        self.dialog = None
        self._send_invite(again.setting("CSeq", f"{self.request.cseq.number + 1} INVITE"))
        return True

    def _refused(self, response: Response) -> None:
        self.final = response
        if self._cancelling and response.status == 487:
            self._finish(End(How.CANCELLED, "local", 487, response.reason))
        else:
            self._finish(End(How.REJECTED, "remote", response.status, response.reason))

    def _finish(self, end: End) -> None:
        self._not_answered(end)
        super()._finish(end)
        self.on_provisional = None
        self._transaction = None

    def _not_answered(self, end: End) -> None:
        self._answered.fail(partial(CallFailedError, end))
