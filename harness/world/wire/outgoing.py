"""A call that goes out: the UAC side of an INVITE, its forks and its second tries (RFC 3261 section 13.2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from harness.sip.digest import DigestClient
from harness.sip.grammar import SipSyntaxError, decimal
from harness.sip.message import HeaderPairs, Request, Response, as_headers
from harness.world.wire.call import Call
from harness.world.wire.dialog import CallFailedError, Dialog, End, How, Waitable, content_header, sdp_of
from harness.world.wire.session import min_se_of, offered
from harness.world.wire.transactions import ClientTransaction, Failure, transact
from harness.world.wire.transport import Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent

_log = logging.getLogger(__name__)
_MOST_TRIES = 4  # a challenge of each hop, a stale nonce, a 422


class OutgoingCall(Call):
    """An INVITE under way. Made by `UserAgent.invite`; sent at once.

    ``dialog`` is the early dialog of the last provisional response, then that of the first 2xx. Other forks that
    answer too are acknowledged and ended by BYE (RFC 3261 section 13.2.2.4).
    """

    def __init__(
        self,
        ua: UserAgent,
        request: Request,
        flow: Flow,
        *,
        digest: DigestClient | None,
        answer: Callable[[bytes], bytes] | None,
    ) -> None:
        super().__init__(ua, request, request.contacts[0])
        self.digest = digest
        self.local_sdp = sdp_of(request)
        self.provisionals: list[Response] = []
        """All above 100 so far, of all forks."""
        self.final: Response | None = None
        """The final response; of a success, the one whose dialog the call is."""
        self.on_provisional: Callable[[Response], None] | None = None
        self.flow = flow
        self._answer = answer
        self._forks: dict[str, Dialog] = {}
        self._rseqs: dict[str, int] = {}
        self._spare: set[str] = set()
        self._answered: Waitable[Response] = Waitable()
        self._cancelling = False
        self._tries = 0
        self._least = 0
        self._transaction: ClientTransaction | None = None
        self._dispatch_invite(request)

    def _dispatch_invite(self, request: Request) -> None:
        self._tries += 1
        self._transaction = self.ua.layer.send_request(request, self.flow, self._responded, self._failed)
        self.request = self._transaction.request

    async def wait_answered(self, within: float | None = None) -> Response:
        """The 2xx. Raises CallFailedError when there is none, TimeoutError."""
        return await self._answered.wait(within)

    def cancel(self, headers: HeaderPairs = ()) -> None:
        """Give up before the answer. A 2xx that crosses the CANCEL is acknowledged and ended by BYE."""
        if self.state != "early" or self._cancelling:
            return
        self._cancelling = True
        if self._transaction is not None:
            self._transaction.cancel(as_headers(headers))

    def _give_up(self) -> None:
        self.cancel()

    # --- responses ---------------------------------------------------------------------------------

    def _responded(self, response: Response) -> None:
        if response.is_success:
            self._succeeded(response)
        elif not response.is_final:
            self._progressed(response)
        elif not self._try_again(response):
            self._refused(response)

    def _progressed(self, response: Response) -> None:
        if response.status == 100 or self.state != "early":
            return
        if response.to.tag is not None:
            try:
                dialog = self._fork(response)
            except SipSyntaxError as error:
                _log.debug("%s: provisional response without use: %s", self.ua.name, error)
                return
            if self._is_repeated(dialog, response):
                return
            self.dialog = dialog
        sdp = sdp_of(response)
        if sdp is not None:
            self.remote_sdp = sdp
        self.provisionals.append(response)
        self._acknowledge_reliable(response, sdp)
        if self.on_provisional is not None:
            self.ua.guard(self.on_provisional, response)

    def _fork(self, response: Response) -> Dialog:
        tag = response.to.tag or ""
        dialog = self._forks.get(tag)
        if dialog is None:
            dialog = Dialog.of_client(self.request, response, self.flow)
            self._forks[tag] = dialog
            self.ua.registry.add_dialog(dialog, self)
        return dialog

    def _dialog_of(self, request: Request) -> Dialog:
        return self._forks.get(request.from_.tag or "") or super()._dialog_of(request)

    def _is_repeated(self, dialog: Dialog, response: Response) -> bool:
        """RFC 3262 section 4: reliable ones count in RSeq; repeated and early ones are dropped."""
        if not response.has("RSeq") or "100rel" not in response.tokens("Require"):
            return False
        rseq = decimal((response.get("RSeq") or "").strip(), most=2**32 - 1)
        tag = dialog.remote.tag or ""
        last = self._rseqs.get(tag)
        if rseq is None or (last is not None and rseq != last + 1):
            return True
        self._rseqs[tag] = rseq
        return False

    def _acknowledge_reliable(self, response: Response, sdp: bytes | None) -> None:
        if "100rel" not in response.tokens("Require") or not response.has("RSeq") or self.dialog is None:
            return
        ours = self._answer(sdp) if sdp and self._answer and self.local_sdp is None else None
        if ours is not None:
            self.local_sdp = ours
        lines = [("RAck", f"{response.get('RSeq')} {response.cseq.number} INVITE"), *content_header(ours)]
        # Built now: by the time it is sent, another fork may have spoken.
        prack = self.dialog.build("PRACK", lines, ours or b"")
        self.ua.spawn(self._transact(prack), "PRACK")

    def _succeeded(self, response: Response) -> None:
        tag = response.to.tag or ""
        if self.final is not None and self.final.is_success:
            if tag == (self.final.to.tag or ""):
                self._acks.again(response)
            else:
                self._end_spare(response, tag)
            return
        try:
            dialog = self._fork(response)
        except SipSyntaxError as error:
            self._fail(End(How.REJECTED, "remote", response.status, str(error), response))
            return
        dialog.confirm(response)
        dialog.flow = self.flow
        self.dialog = dialog
        self.final = response
        theirs = sdp_of(response)
        if theirs is not None:
            self.remote_sdp = theirs
        ours = self._answer(theirs) if theirs and self._answer and self.local_sdp is None else None
        if ours is not None:
            self.local_sdp = ours
        self.acknowledge(response, ours)
        for other in list(self._forks.values()):
            if other is not dialog:
                self.ua.registry.forget_dialog(other)
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

    def _end_spare(self, response: Response, tag: str) -> None:
        """Another fork answered as well."""
        dialog = Dialog.of_client(self.request, response, self.flow)
        ack = dialog.build("ACK", cseq=response.cseq.number)
        try:
            flow = self.ua.flow_for(dialog)
        except LookupError as error:
            _log.warning("%s: a second answer has nowhere to go: %s", self.ua.name, error)
            return
        self.ua.layer.send_ack(ack, flow)
        if tag not in self._spare:
            self._spare.add(tag)
            self.ua.spawn(transact(self.ua.layer, dialog.build("BYE"), flow), "BYE to another fork")

    def _try_again(self, response: Response) -> bool:
        """A challenge or a 422: the same INVITE once more, with what was missing."""
        if self._cancelling or self._tries >= _MOST_TRIES:
            return False
        bare = self.request.listing("Via", self.request.values("Via")[1:])
        again: Request | None = None
        if response.is_challenge and self.digest is not None:
            again = self.digest.answer(bare, response)
        elif response.status == 422 and self.ua.session is not None:
            least = min_se_of(response)
            if least > self._least:
                self._least = least
                again = bare
                for name, value in offered(self.ua.session, least=least):
                    again = again.setting(name, value)
        if again is None:
            return False
        again = again.setting("CSeq", f"{bare.cseq.number + 1} INVITE")
        self._drop_forks()
        self._dispatch_invite(again)
        return True

    def _refused(self, response: Response) -> None:
        self.final = response
        if self._cancelling and response.status == 487:
            self._fail(End(How.CANCELLED, "local", 487, response.reason, response))
        else:
            self._fail(End(How.REJECTED, "remote", response.status, response.reason, response))

    def _failed(self, failure: Failure, error: Exception | None) -> None:
        if failure is Failure.TIMEOUT:
            how = How.CANCELLED if self._cancelling else How.NO_ANSWER
            self._fail(End(how, "local", 408, "No final response"))
        else:
            self._fail(End(How.UNREACHABLE, "local", 503, str(error) if error else "Connection closed"))

    def _fail(self, end: End) -> None:
        self._drop_forks()
        self._finish(end)

    def _drop_forks(self) -> None:
        for dialog in self._forks.values():
            self.ua.registry.forget_dialog(dialog)
        self._forks.clear()
        self._rseqs.clear()

    def _finish(self, end: End) -> None:
        self._not_answered(end)
        super()._finish(end)
        self.on_provisional = None
        self._transaction = None

    def _not_answered(self, end: End) -> None:
        self._answered.fail(partial(CallFailedError, end))
