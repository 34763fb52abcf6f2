"""A call: the INVITE dialog that both roles share, and the requests within it (RFC 3261 sections 12 to 15)."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal

from harness.sip.digest import DigestClient
from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import Header
from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr
from harness.world.wire.dialog import (
    Acks,
    Dialog,
    End,
    How,
    OutOfOrderError,
    Repeater,
    Waitable,
    content_header,
    sdp_of,
)
from harness.world.wire.referral import Notifier, Referral, Subscriptions
from harness.world.wire.session import SessionPolicy, SessionTimer, too_small
from harness.world.wire.transactions import ServerTransaction, Timers, transact
from harness.world.wire.transport import Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent


class InDialogRequest:
    """A request within a dialog. It is answered once, also after its handler has returned."""

    def __init__(self, call: Call, transaction: ServerTransaction) -> None:
        self.call = call
        self.request: Request = transaction.request
        self._transaction = transaction
        self.settled: Waitable[bool] = Waitable()
        """Set once nothing more happens to it: answered, and for a 2xx to a re-INVITE acknowledged or given up."""

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def offer(self) -> bytes | None:
        """The SDP in it, None without."""
        return sdp_of(self.request)

    @property
    def is_answered(self) -> bool:
        return self._transaction.is_answered

    def respond(
        self,
        status: int,
        reason: str | None = None,
        headers: HeaderPairs = (),
        body: bytes | str = b"",
        content_type: str | None = None,
    ) -> None:
        """Answer. A 2xx to a re-INVITE is repeated until its ACK comes; without one the call ends."""
        lines = [*headers, *content_header(body, content_type)]
        response = Response.to_request(self.request, status, reason, headers=lines, body=body)
        if self.method != "INVITE" or not response.is_success:
            self._transaction.respond(response)
            if response.is_final:
                self.settled.set(True)
            return
        if self.is_answered:
            return
        repeater = Repeater(
            self.call.ua.timers,
            lambda: self._transaction.respond(response),
            lambda: self.call.ack_missing(self.request),
            capped=True,
        )
        self.call.await_ack(self.request.cseq.number, repeater)

    def accept(self, sdp: bytes | None = None) -> None:
        """200 with an SDP, for re-INVITE and UPDATE: the call's descriptions move on with it."""
        headers = self.call.answer_headers(self.request)
        self.call.note_exchange(offer=self.offer, answer=sdp)
        self.respond(200, None, headers, sdp or b"", "application/sdp" if sdp else None)


class ReferRequest(InDialogRequest):
    """A REFER: the peer asks us to call somebody (RFC 3515)."""

    @property
    def refer_to(self) -> NameAddr:
        """The target. Raises SipSyntaxError when it is missing, doubled or malformed (section 2.4.1 wants exactly one)."""
        values = self.request.values("Refer-To")
        if len(values) != 1:
            raise SipSyntaxError("not exactly one Refer-To")
        return NameAddr.parse(values[0])

    @property
    def referred_by(self) -> str | None:
        """Referred-By as it came (RFC 3892)."""
        return self.request.get("Referred-By")

    def accept_refer(self, status: int = 202) -> Notifier:
        """Accept, and send a NOTIFY with 100 at once; the notifier sends the further ones.

        ``Refer-Sub: false`` (RFC 4488) is honoured: the notifier then stays silent.
        """
        wants = (self.request.get("Refer-Sub") or "true").strip().lower() != "false"
        extra = [] if wants else [("Refer-Sub", "false")]
        self.respond(status, None, [*self.call.target_headers(), *extra])
        return self.call.new_notifier(self.request, silent=not wants)


def default_answer(request: InDialogRequest, accepted: Sequence[str]) -> None:
    """Answer a request for which the call has no handler."""
    if request.method in ("INVITE", "UPDATE"):
        local = request.call.local_sdp
        # A refresh, or an offer that changes nothing, is accepted as it stands; a real change is not for us.
        if request.offer is None or request.offer == request.call.remote_sdp:
            request.accept(local if request.offer is not None or request.method == "INVITE" else None)
        else:
            request.respond(488)
    elif request.method == "OPTIONS":
        request.respond(200, headers=request.call.ua.capabilities())
    elif request.method == "REFER":
        request.respond(603)  # RFC 3515 section 2.4.2
    elif request.method == "NOTIFY":
        request.respond(481)  # no such subscription (RFC 6665 section 4.1.3)
    else:
        request.respond(405, headers=[("Allow", ", ".join(accepted))])


_T1 = 0.5  # the T1 for which RFC 3261 section 14.1 gives its 491 waits


def glare_wait(role: Literal["uac", "uas"], timers: Timers) -> float:
    """Seconds until an offer that got a 491 is made again: the owner of the Call-ID waits longer, so that two don't collide."""
    wait = random.uniform(2.1, 4.0) if role == "uac" else random.uniform(0.0, 2.0)
    return wait * timers.t1 / _T1


class OfferTurns:
    """The open offers of one call, ours and the peer's."""

    def __init__(self, policy: SessionPolicy | None) -> None:
        self._policy = policy
        self.inviting = False  #: our re-INVITE is under way
        self.offering = False  #: our UPDATE with an offer is
        self.invited: InDialogRequest | None = None  #: the peer's last re-INVITE
        self._updated: InDialogRequest | None = None

    def takes_invite(self, incoming: InDialogRequest, *, early: bool) -> bool:
        """Whether a re-INVITE may be dealt with; it has been refused otherwise."""
        if self.inviting or self.offering:
            incoming.respond(491)
        elif early or (self.invited is not None and not self.invited.settled.is_set):
            _refuse_for_now(incoming)
        elif not self._too_small(incoming):
            self.invited = incoming
            return True
        return False

    def takes_update(self, incoming: InDialogRequest) -> bool:
        """Whether an UPDATE may be dealt with; it has been refused otherwise."""
        if incoming.offer is not None and (self.inviting or self.offering):
            incoming.respond(491)
        elif incoming.offer is not None and self._updated is not None and not self._updated.is_answered:
            _refuse_for_now(incoming)
        elif not self._too_small(incoming):
            self._updated = incoming
            return True
        return False

    def _too_small(self, incoming: InDialogRequest) -> bool:
        least = too_small(self._policy, incoming.request)
        if least is not None:
            incoming.respond(422, headers=[("Min-SE", str(least))])
        return least is not None

    async def settled(self) -> None:
        """Until the peer's last re-INVITE is settled."""
        if self.invited is not None:
            await self.invited.settled

    def end(self) -> None:
        """The call is over: nothing will settle it any more."""
        if self.invited is not None:
            self.invited.settled.set(False)
        self.invited = self._updated = None  # they refer to the call, which owns this object


def _refuse_for_now(incoming: InDialogRequest) -> None:
    incoming.respond(500, headers=[("Retry-After", str(random.randint(0, 10)))])


_log = logging.getLogger(__name__)
_GLARE_RETRIES = 3

InDialogHandler = Callable[[InDialogRequest], Awaitable[None]]
ReferHandler = Callable[[ReferRequest], Awaitable[None]]


class Call:
    """The common part of incoming and outgoing calls. Handlers are attributes; without one the standard answer is given.

    Standard answers: BYE 200; a session refresh, or an offer equal to the last one, 200; another offer 488; REFER
    603; OPTIONS 200; NOTIFY outside of a subscription 481; the rest 405.
    """

    def __init__(self, ua: UserAgent, request: Request, contact: NameAddr) -> None:
        self.ua = ua
        self.request = request
        """The INVITE."""
        self.call_id = request.call_id
        self.contact = contact
        """Our Contact, the same through the whole call."""
        self.dialog: Dialog | None = None
        self.state: Literal["early", "confirmed", "ended"] = "early"
        self.digest: DigestClient | None = None
        self.end: End | None = None
        self.local_sdp: bytes | None = None
        self.remote_sdp: bytes | None = None

        self.on_reinvite: InDialogHandler | None = None
        self.on_update: InDialogHandler | None = None
        self.on_info: InDialogHandler | None = None
        self.on_message: InDialogHandler | None = None
        self.on_refer: ReferHandler | None = None
        self.on_ended: Callable[[End], None] | None = None

        self._ended: Waitable[End] = Waitable()
        self._acks = Acks()
        self._invite_turn = asyncio.Lock()
        self._turns = OfferTurns(ua.session)
        self._subscriptions = Subscriptions(self)
        self._bye_pending = False
        self._session = SessionTimer(ua.session, self._refresh_due, self._session_expired)

    # --- what the application does -----------------------------------------------------------------

    async def wait_ended(self, within: float | None = None) -> End:
        """Wait for the end of the call; returns how it ended. Raises TimeoutError."""
        return await self._ended.wait(within)

    async def send(
        self,
        method: str,
        headers: HeaderPairs = (),
        body: bytes | str = b"",
        content_type: str | None = None,
    ) -> Response:
        """Send any request but INVITE in the dialog and return its final response.

        Silence gives a local 408, a transport failure a local 503. A 481 or 408 ends an answered call, with a
        BYE in case somebody is there after all (RFC 3261 12.2.1.2).
        Raises RuntimeError when there is no dialog yet.
        """
        dialog = self._need_dialog()
        lines = [*headers, *content_header(body, content_type)]
        request = dialog.build(method, lines, body, contact=self._contact_for(method))
        response = await self._transact(request)
        dialog.take_response(response)
        if method not in ("BYE", "NOTIFY"):
            self._lose_if_gone(response)
        return response

    def _lose_if_gone(self, response: Response) -> None:
        if response.status in (408, 481) and self.state == "confirmed":
            end = End(How.LOST, "remote", 0, response.reason, response)
            self.ua.spawn(self._bye(end), "BYE of a lost dialog")

    async def info(
        self, body: bytes | str, content_type: str = "application/dtmf-relay", headers: HeaderPairs = ()
    ) -> Response:
        """INFO (RFC 6086; without a package header, the older way DTMF is sent)."""
        return await self.send("INFO", headers, body, content_type)

    async def update(self, sdp: bytes | None = None) -> Response:
        """UPDATE (RFC 3311), with an offer or as a mere refresh. A 491 is returned, not retried."""
        self._turns.offering = sdp is not None
        try:
            lines = [*self.ua.capabilities(), *self._session.refreshing()]
            response = await self.send("UPDATE", lines, sdp or b"", "application/sdp" if sdp else None)
        finally:
            self._turns.offering = False
        if response.is_success:
            if sdp is not None:
                self.local_sdp, self.remote_sdp = sdp, sdp_of(response) or self.remote_sdp
            self._session.accepted(response)
        return response

    async def reinvite(self, sdp: bytes | None) -> Response:
        """Re-INVITE and ACK its 2xx.

        A 491 is retried up to three times after RFC 3261 section 14.1's wait. One at a time: another one under way,
        ours or the peer's, is waited for first.
        """
        for attempt in range(_GLARE_RETRIES + 1):
            async with self._invite_turn:
                await self._turns.settled()
                response = await self._invite_again(sdp)
            if response.status != 491 or attempt == _GLARE_RETRIES or self.state == "ended":
                break
            await asyncio.sleep(glare_wait(self._need_dialog().role, self.ua.timers))
        return response

    async def _invite_again(self, sdp: bytes | None) -> Response:
        dialog = self._need_dialog()
        lines = [*self.ua.capabilities(), *self._session.refreshing(), *content_header(sdp)]
        request = dialog.build("INVITE", lines, sdp or b"", contact=self._contact_for("INVITE"))
        self._turns.inviting = True
        try:
            response = await self._transact(request)
            dialog.take_response(response)
            if response.is_success:
                self.acknowledge(response)
                self.note_exchange(offer=sdp_of(response), answer=sdp)
                self._session.accepted(response)
        finally:
            self._turns.inviting = False
        self._lose_if_gone(response)
        return response

    def refer(self, refer_to: NameAddr | str, headers: HeaderPairs = ()) -> Referral:
        """Ask the peer to call ``refer_to`` (RFC 3515). Returns at once; the referral tells how it goes."""
        dialog = self._need_dialog()
        target = refer_to if isinstance(refer_to, NameAddr) else NameAddr.parse(refer_to)
        lines = [("Refer-To", str(target)), *headers]
        if not any(Header(*pair).key == "referred-by" for pair in lines):
            lines.append(("Referred-By", str(dialog.local.with_tag(None))))
        request = dialog.build("REFER", lines, contact=self._contact_for("REFER"))
        referral = self._subscriptions.refer(request.cseq.number)

        async def run() -> None:
            response = await self._transact(request)
            referral.answered(response)

        self.ua.spawn(run(), "REFER")
        return referral

    async def bye(self, headers: HeaderPairs = ()) -> Response | None:
        """End an answered call. The call is over at once; returns the answer to the BYE, None if it was over.

        Raises RuntimeError in an early call: use cancel or reject.
        """
        if self.state == "ended":
            return None
        if self.state != "confirmed":
            raise RuntimeError("BYE before the answer")
        return await self._bye(End(How.BYE, "local"), headers)

    def hangup(self) -> asyncio.Task[object]:
        """End the call in any state: before the answer by CANCEL (outgoing) or 603 (incoming), after it by BYE."""
        return self.ua.spawn(self._hangup(), "hang-up")

    async def _hangup(self) -> None:
        if self.state == "early":
            self._give_up()
        elif self.state == "confirmed":
            await self.bye()

    def _give_up(self) -> None:
        """End the call before its answer."""
        raise NotImplementedError

    async def _bye(self, end: End, headers: HeaderPairs = ()) -> Response:
        self._bye_pending = True
        self._finish(end)
        try:
            await self._before_bye()
            return await self.send("BYE", headers)
        finally:
            self._bye_pending = False
            self.usage_ended()

    async def _before_bye(self) -> None:
        """RFC 3261 section 15: the callee's BYE waits for the ACK of its 2xx."""

    # --- helpers of the roles and of in-dialog requests --------------------------------------------

    def _need_dialog(self) -> Dialog:
        if self.dialog is None:
            raise RuntimeError("the call has no dialog yet")
        return self.dialog

    def _dialog_of(self, request: Request) -> Dialog:
        """The dialog an incoming request belongs to: the only one, unless our INVITE has forked."""
        return self._need_dialog()

    def _next_cseq(self) -> int:
        dialog = self._need_dialog()
        dialog.local_seq += 1
        return dialog.local_seq

    async def _transact(self, request: Request) -> Response:
        return await transact(
            self.ua.layer,
            request,
            self._flow,
            digest=self.digest,
            next_cseq=self._next_cseq,
            on_more=self._acks.again,
        )

    def _flow(self) -> Flow:
        dialog = self._need_dialog()
        dialog.flow = self.ua.flow_for(dialog)
        return dialog.flow

    def _contact_for(self, method: str) -> NameAddr | None:
        wanted = method in ("INVITE", "UPDATE", "REFER", "NOTIFY", "SUBSCRIBE", "OPTIONS")
        return self.contact if wanted else None

    def target_headers(self) -> list[tuple[str, str]]:
        """Contact, for responses that refresh our target."""
        return [("Contact", str(self.contact))]

    def answer_headers(self, request: Request) -> list[tuple[str, str]]:
        """What a 2xx to an INVITE or UPDATE carries besides its body: Contact, capabilities, session timer."""
        return [*self.target_headers(), *self.ua.capabilities(), *self._session.accepting(request)]

    def note_exchange(self, *, offer: bytes | None, answer: bytes | None) -> None:
        """Note the descriptions of a finished offer/answer exchange: the peer's and ours."""
        if offer is not None:
            self.remote_sdp = offer
        if answer is not None:
            self.local_sdp = answer

    def acknowledge(self, response: Response, sdp: bytes | None = None) -> None:
        """ACK a 2xx to our INVITE (RFC 3261 section 13.2.2.4)."""
        dialog = self._need_dialog()
        headers: list[tuple[str, str] | Header] = [*content_header(sdp)]
        if response.cseq.number == self.request.cseq.number:
            # The credentials of the INVITE stand for its ACK, which cannot be challenged (section 22.1).
            headers += [h for h in self.request.headers if h.key in ("authorization", "proxy-authorization")]
        ack = dialog.build("ACK", headers, sdp or b"", cseq=response.cseq.number)
        try:
            flow = self._flow()
        except LookupError as error:
            _log.warning("%s: ACK has nowhere to go: %s", self.ua.name, error)
            return
        self._acks.sent(self.ua.layer.send_ack(ack, flow), flow)

    def await_ack(self, cseq: int, repeater: Repeater) -> None:
        """Our 2xx is repeated until its ACK comes."""
        self._acks.expect(cseq, repeater)

    def ack_missing(self, request: Request) -> None:
        """No ACK in 64*T1: the dialog stands, and is to be ended (RFC 3261 section 13.3.1.4)."""
        self._acks.take(request.cseq.number)
        if self.state != "ended":
            self.ua.spawn(self._bye(End(How.NO_ACK, "local")), "BYE after a lost ACK")

    def new_notifier(self, request: Request, *, silent: bool) -> Notifier:
        """A subscription by the peer's REFER."""
        return self._subscriptions.referred(request, silent=silent)

    def usage_ended(self) -> None:
        """A dialog usage has ended; after the last one the call is forgotten (RFC 5057)."""
        if self.state == "ended" and not self._bye_pending and self._subscriptions.are_over:
            self.ua.registry.forget(self)

    def _finish(self, end: End) -> None:
        if self.state == "ended":
            return
        self.state = "ended"
        self.end = end
        self._session.stop()
        if not self._bye_pending:  # our own BYE has to wait for the ACK, so the 2xx goes on
            self._acks.stop()
        self._turns.end()
        self._ended.set(end)
        if self.on_ended is not None:
            self.ua.guard(self.on_ended, end)
        # Transactions refer to this call for 64*T1 more; it no longer refers to its application.
        self.on_ended = self.on_refer = None
        self.on_reinvite = self.on_update = self.on_info = self.on_message = None
        self.usage_ended()

    def stop(self) -> None:
        """The node stops: leave nothing running."""
        self._finish(End(How.STOPPED, "local"))
        self._subscriptions.stop()

    # --- session timer -----------------------------------------------------------------------------

    def _refresh_due(self) -> None:
        self.ua.spawn(self._refresh(), "session refresh")

    async def _refresh(self) -> None:
        if self._need_dialog().may("UPDATE"):
            response = await self.update()
        else:
            response = await self.reinvite(self.local_sdp)
        if response.is_success or self.state != "confirmed":
            return
        if response.status in (408, 481):  # RFC 4028 section 10: these end the session, others do not
            await self._bye(End(How.EXPIRED, "local", 0, response.reason, response))
        else:
            self._session.refused()

    def _session_expired(self) -> None:
        if self.state == "confirmed":
            self.ua.spawn(self._bye(End(How.EXPIRED, "local")), "BYE of an expired session")

    # --- what the peer does ------------------------------------------------------------------------

    def ack_from(self, request: Request, flow: Flow) -> None:
        """Take the ACK of our 2xx; an ACK from another address than the peer's is ignored."""
        if self._dialog_of(request).is_from_peer(flow):
            self.ack_received(request)

    def ack_received(self, request: Request) -> None:
        """Take the ACK of our 2xx, with the answer in it if our 2xx had the offer."""
        if not self._acks.take(request.cseq.number):
            return
        invited = self._turns.invited
        mine = invited is not None and invited.request.cseq.number == request.cseq.number
        if sdp_of(request) is not None and (not mine or invited is None or invited.offer is None):
            self.remote_sdp = sdp_of(request)
        if mine and invited is not None:
            invited.settled.set(True)

    def receive(self, transaction: ServerTransaction) -> None:
        """Handle a request within the dialog."""
        request = transaction.request
        dialog = self._dialog_of(request)
        incoming: InDialogRequest = (
            ReferRequest(self, transaction) if request.method == "REFER" else InDialogRequest(self, transaction)
        )
        if not dialog.is_from_peer(transaction.flow):
            _log.info("%s: %s of a dialog from a stranger, %r", self.ua.name, request.method, transaction.flow)
            incoming.respond(481)  # to a stranger, the dialog does not exist
            return
        try:
            dialog.take(request)
        except OutOfOrderError as error:
            incoming.respond(500, str(error))
            return
        except SipSyntaxError:
            incoming.respond(400)
            return
        if self.state == "ended" and request.method not in ("BYE", "NOTIFY"):
            incoming.respond(481)
            return
        dialog.flow = transaction.flow if transaction.flow.reliable else dialog.flow
        getattr(self, f"_receive_{request.method.lower()}", self._receive_other)(incoming)

    def _receive_bye(self, incoming: InDialogRequest) -> None:
        incoming.respond(200)
        if self.state == "ended":
            return
        self._finish(End(How.BYE, "remote", message=incoming.request))

    def _receive_invite(self, incoming: InDialogRequest) -> None:
        if self._turns.takes_invite(incoming, early=self.state == "early"):
            self._dispatch(incoming, self.on_reinvite)

    def _receive_update(self, incoming: InDialogRequest) -> None:
        if self._turns.takes_update(incoming):
            self._dispatch(incoming, self.on_update if incoming.offer is not None else None)

    def _receive_info(self, incoming: InDialogRequest) -> None:
        self._dispatch(incoming, self.on_info)

    def _receive_message(self, incoming: InDialogRequest) -> None:
        self._dispatch(incoming, self.on_message)

    def _receive_refer(self, incoming: InDialogRequest) -> None:
        assert isinstance(incoming, ReferRequest)
        try:
            _ = incoming.refer_to
        except SipSyntaxError:
            incoming.respond(400, "Exactly one Refer-To is needed")
            return
        if self.on_refer is None:
            self._dispatch(incoming, None)
        else:
            self.ua.serve(self.on_refer(incoming), incoming)

    def _receive_notify(self, incoming: InDialogRequest) -> None:
        self._subscriptions.notified(incoming.request, incoming.respond)

    def _receive_other(self, incoming: InDialogRequest) -> None:
        self._dispatch(incoming, None)

    def _dispatch(self, incoming: InDialogRequest, handler: InDialogHandler | None) -> None:
        if handler is None:
            default_answer(incoming, self.ua.methods())
        else:
            self.ua.serve(handler(incoming), incoming)
