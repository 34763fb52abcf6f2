"""A call that goes out: the UAC side of an INVITE, and its second try with credentials (RFC 3261 section 13.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from harness.sip.digest import DigestClient
from harness.sip.grammar import SipSyntaxError, decimal
from harness.sip.message import Request, Response
from harness.world.wire.call import Call
from harness.world.wire.dialog import CallFailedError, Dialog, End, How, Waitable, sdp_of
from harness.world.wire.transactions import ClientTransaction
from harness.world.wire.transport import Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent

_log = logging.getLogger(__name__)
_MOST_TRIES = 4  # a challenge of each hop, a stale nonce


class OutgoingCall(Call):
    """An INVITE under way. Made by `UserAgent.invite`; sent at once.

    ``dialog`` is that of the last response. No proxy forks the calls of the world's nodes: a 2xx of a second dialog is
    not acknowledged.
    """

    def __init__(self, ua: UserAgent, request: Request, flow: Flow, digest: DigestClient | None) -> None:
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
        """Give up before the answer. A 2xx that crosses the CANCEL is acknowledged and ended by BYE."""
        if self.state == "early" and not self._cancelling and self._transaction is not None:
            self._cancelling = True
            self._transaction.cancel()

    def _give_up(self) -> None:
        self.cancel()

    # --- responses ---------------------------------------------------------------------------------

    def _responded(self, response: Response) -> None:
        if response.is_success:
            self._succeeded(response)
        elif not response.is_final:
            self._progressed(response)
        elif response.received is None:
            how = How.UNREACHABLE if response.status == 503 else How.CANCELLED if self._cancelling else How.NO_ANSWER
            self._finish(End(how, "local", response.status, response.reason))
        elif not self._try_again(response):
            self._refused(response)

    def _progressed(self, response: Response) -> None:
        if response.status == 100 or self.state != "early":
            return
        if response.to.tag is not None:
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
            self.ua.guard(self.on_provisional, response)

    def _learn_dialog(self, response: Response) -> Dialog:
        if self.dialog is None or self.dialog.remote.tag != response.to.tag:
            self.ua.forget_dialog(self)
            self.dialog = Dialog.of_client(self.request, response, self.flow)
            self._rseq = None
            self.ua.add_dialog(self)
        return self.dialog

    def _is_in_sequence(self, response: Response) -> bool:
        """Whether it is new; RFC 3262 section 4: reliable ones count in RSeq, and get a PRACK."""
        if "100rel" not in response.tokens("Require") or not response.has("RSeq") or self.dialog is None:
            return True
        rseq = decimal((response.get("RSeq") or "").strip(), most=2**32 - 1)
        if rseq is None or (self._rseq is not None and rseq != self._rseq + 1):
            return False
        self._rseq = rseq
        prack = self.dialog.build("PRACK", [("RAck", f"{rseq} {response.cseq.number} INVITE")])
        self.ua.spawn(self._transact(prack), "PRACK")
        return True

    def _succeeded(self, response: Response) -> None:
        if self.final is not None:
            if response.to.tag == self.final.to.tag:
                self._acknowledge_again(response)
            return
        try:
            dialog = self._learn_dialog(response)
        except SipSyntaxError as error:
            self._finish(End(How.REJECTED, "remote", response.status, str(error), response))
            return
        dialog.confirm(response)
        dialog.flow = self.flow
        self.final = response
        self.note_exchange(offer=sdp_of(response), answer=None)
        self.acknowledge(response)
        if self.state == "ended":
            return
        self.state = "confirmed"
        if self._cancelling:
            # The 2xx crossed our CANCEL (RFC 3261 section 9.1): the call stands, and is ended at once.
            self._not_answered(End(How.CANCELLED, "local", 487, "Request Terminated"))
            self.ua.spawn(self._bye(End(How.CANCELLED, "local")), "BYE after CANCEL")
            return
        self._session.accepted(response)
        self._answered.set(response)

    def _try_again(self, response: Response) -> bool:
        """A challenge: the same INVITE once more, with credentials."""
        if not response.is_challenge or self.digest is None or self._cancelling or self._tries >= _MOST_TRIES:
            return False
        again = self.digest.answer(self.request, response)
        if again is None:
            return False
        self.ua.forget_dialog(self)
        self.dialog = None
        self._send_invite(again.setting("CSeq", f"{self.request.cseq.number + 1} INVITE"))
        return True

    def _refused(self, response: Response) -> None:
        self.final = response
        if self._cancelling and response.status == 487:
            self._finish(End(How.CANCELLED, "local", 487, response.reason, response))
        else:
            self._finish(End(How.REJECTED, "remote", response.status, response.reason, response))

    def _finish(self, end: End) -> None:
        self._not_answered(end)
        super()._finish(end)
        self.on_provisional = None
        self._transaction = None

    def _not_answered(self, end: End) -> None:
        self._answered.fail(partial(CallFailedError, end))
