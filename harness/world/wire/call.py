"""Requests to be answered, and a call: the INVITE dialog that both roles share (RFC 3261 sections
12 to 15).
"""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

from harness.sip.digest import DigestClient
from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.dialog import (
    Dialog,
    End,
    How,
    OutOfOrderError,
    Repeater,
    SessionTimer,
    Waitable,
    content_header,
    is_too_small,
    sdp_of,
)
from harness.world.wire.referral import Notifier, Referral
from harness.world.wire.transactions import ServerTransaction, new_token, transact
from harness.world.wire.transport import Address, Flow

if TYPE_CHECKING:
    from harness.world.wire.agent import UserAgent


class IncomingRequest:
    """A request to be answered once, also after its handler has returned."""

    def __init__(self, transaction: ServerTransaction) -> None:
        self.request: Request = transaction.request
        self.flow: Flow = transaction.flow
        self._transaction = transaction
        self._tag = new_token()

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def source(self) -> Address:
        """Where it came from, as the socket saw it."""
        return self.flow.remote

    @property
    def offer(self) -> bytes | None:
        """The SDP in it, None without."""
        return sdp_of(self.request)

    @property
    def is_answered(self) -> bool:
        return self._transaction.is_answered

    def respond(
        self, status: int, reason: str | None = None, headers: HeaderPairs = (), body: bytes = b""
    ) -> None:
        """Answer it."""
        response = Response.to_request(
            self.request, status, reason, tag=self._tag, headers=headers, body=body
        )
        self._send(response)

    def _send(self, response: Response) -> None:
        self._transaction.respond(response)


class InDialogRequest(IncomingRequest):
    """A request within the dialog of a call."""

    def __init__(self, call: Call, transaction: ServerTransaction) -> None:
        super().__init__(transaction)
        self.call = call

    def _send(self, response: Response) -> None:
        """A 2xx to a re-INVITE is repeated until its ACK comes; without one the call ends."""
        if self.method != "INVITE" or not response.is_success:
            self._transaction.respond(response)
        elif not self.is_answered:
            self.call.repeat_until_acked(self.request, lambda: self._transaction.respond(response))

    def accept(self, sdp: bytes | None = None) -> None:
        """200 with an SDP, for re-INVITE and UPDATE: the call's descriptions move on with it."""
        headers = [*self.call.answer_headers(self.request), *content_header(sdp)]
        self.call.note_exchange(offer=self.offer, answer=sdp)
        self.respond(200, None, headers, sdp or b"")

    # --- of a REFER: the peer asks us to call somebody (RFC 3515)

    @property
    def refer_to(self) -> NameAddr:
        """The target. Raises SipSyntaxError when it is missing, doubled or malformed (section 2.4.1
        wants exactly one).

        A URI without brackets is taken as a whole: by RFC 3261 section 20.10 its parameters would
        be the header's, but pjsua, which leaves the brackets out, means them to be the URI's.
        """
        values = self.request.get_all("Refer-To")
        if len(values) != 1:
            raise SipSyntaxError("not exactly one Refer-To")
        value = values[0]
        if "<" in value:
            return NameAddr.parse(value)
        return NameAddr(Uri.parse(value.strip()))

    def accept_refer(self, status: int = 202) -> Notifier:
        """Accept, and send a NOTIFY with 100 at once; the notifier sends the further ones."""
        self.respond(status, None, [("Contact", str(self.call.contact))])
        return self.call.notifier_of(self.request)


_log = logging.getLogger(__name__)
_CREDENTIALS = ("authorization", "proxy-authorization")

InDialogHandler = Callable[[InDialogRequest], Awaitable[None]]


class Call:
    """The common part of incoming and outgoing calls. Handlers are attributes; without one the
    standard answer is given.

    A call is ``early`` until its 2xx, then ``confirmed``, and ``ended`` from the moment that either
    side ends it. An ended call stays known until what is still under way is over: its own BYE, and
    subscriptions of REFERs, which outlive it (RFC 5057).

    Standard answers: BYE 200; a session refresh, or an offer equal to the last one, 200; another
    offer 488; REFER 603; OPTIONS 200; NOTIFY outside of a subscription 481; the rest 405.
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

        #: Of a re-INVITE, or an UPDATE that is no mere refresh.
        self.on_offer: InDialogHandler | None = None
        self.on_info: InDialogHandler | None = None
        self.on_refer: InDialogHandler | None = None
        self.on_ended: Callable[[End], None] | None = None

        self._ended: Waitable[End] = Waitable()
        #: Sent, by CSeq: sent again when their 2xx comes again.
        self._acks: dict[int, tuple[Request, Flow]] = {}
        #: Our 2xx responses that wait for the peer's ACK, by CSeq.
        self._unacked: dict[int, Repeater] = {}
        self._offer_turn = asyncio.Lock()
        self._is_offering = False  # our re-INVITE, or UPDATE with an offer, is under way
        self._reinvited: InDialogRequest | None = None  # the peer's last re-INVITE
        # Subscriptions by REFER (RFC 6665), ours and the peer's. The call owns them: they have a
        # weak reference to it, so that it goes with its last user, not with a garbage collection.
        self._referrals: list[Referral] = []
        self._notifiers: list[Notifier] = []
        self._bye_pending = False
        self._session = SessionTimer(ua.least_session_s, self._refresh_due, self._session_expired)

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
        """Send a request in the dialog and return its final response; for an INVITE, see `change`.

        Silence gives a local 408, a transport failure a local 503. A 481 or 408 ends an answered
        call, with a BYE in case somebody is there after all (RFC 3261 12.2.1.2). Raises
        RuntimeError when there is no dialog yet.
        """
        dialog = self._need_dialog()
        lines = [*headers, *content_header(body, content_type)]
        response = await self._transact(dialog.build(method, lines, body))
        dialog.take_response(response)
        is_gone = response.status in (408, 481) and method not in ("BYE", "NOTIFY")
        if is_gone and self.state == "confirmed":
            end = End(How.LOST, "remote", 0, response.reason)
            self.ua.spawn(self._bye(end), "BYE of a lost dialog")
        return response

    async def info(
        self, body: bytes | str, content_type: str = "application/dtmf-relay"
    ) -> Response:
        """INFO (RFC 6086; without a package header, the older way DTMF is sent)."""
        return await self.send("INFO", (), body, content_type)

    async def change(self, method: str, sdp: bytes | None = None) -> Response:
        """A re-INVITE, whose 2xx is acknowledged, or an UPDATE (RFC 3311), which without an offer
        is a mere refresh.

        One at a time. A 491 is returned: the party that wanted the change repeats it (RFC 3261
        section 14.1).
        """
        async with self._offer_turn:
            self._is_offering = sdp is not None
            try:
                lines = [*self.ua.capabilities(), *self._session.refreshing()]
                response = await self.send(method, lines, sdp or b"", "application/sdp")
            finally:
                self._is_offering = False
        if response.is_success:
            if method == "INVITE":
                self.acknowledge(response)
            if sdp is not None:
                self.note_exchange(offer=sdp_of(response), answer=sdp)
            self._session.accepted(response)
        return response

    def refer(self, refer_to: NameAddr | str, referred_by: str | None = None) -> Referral:
        """Ask the peer to call ``refer_to`` (RFC 3515, RFC 3892). Returns at once; the referral
        tells how it goes.
        """
        dialog = self._need_dialog()
        referrer = referred_by or str(dialog.local.with_tag(None))
        request = dialog.build("REFER", [("Refer-To", str(refer_to)), ("Referred-By", referrer)])
        referral = Referral(weakref.proxy(self), request.cseq.number)
        self._referrals.append(referral)

        async def run() -> None:
            response = await self._transact(request)
            referral.answered(response)

        self.ua.spawn(run(), "REFER")
        return referral

    async def bye(self) -> Response | None:
        """End an answered call. The call is over at once; returns the answer to the BYE, None if
        the call is not up.
        """
        if self.state != "confirmed":
            return None
        return await self._bye(End(How.BYE, "local"))

    def hangup(self) -> asyncio.Task[object]:
        """End the call in any state: before the answer by CANCEL (outgoing) or 603 (incoming),
        after it by BYE.
        """
        return self.ua.spawn(self._hangup(), "hang-up")

    async def _hangup(self) -> None:
        if self.state == "early":
            self._give_up()
        await self.bye()

    def _give_up(self) -> None:
        """End the call before its answer."""
        raise NotImplementedError

    async def _bye(self, end: End) -> Response:
        """End the call at once for the application, and send BYE when that may leave."""
        self._bye_pending = True
        self._finish(end)
        try:
            await self._before_bye()
            return await self.send("BYE")
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

    def _next_cseq(self) -> int:
        dialog = self._need_dialog()
        dialog.local_seq += 1
        return dialog.local_seq

    async def _transact(self, request: Request) -> Response:
        return await transact(
            self.ua.layer,
            request,
            self._way,
            digest=self.digest,
            next_cseq=self._next_cseq,
            on_more=self._acknowledge_again,
        )

    def _way(self) -> Flow:
        dialog = self._need_dialog()
        dialog.flow = self.ua.flow_for(dialog)
        return dialog.flow

    def answer_headers(self, request: Request) -> list[tuple[str, str]]:
        """What a 2xx to an INVITE or UPDATE carries besides its body: Contact, capabilities,
        session timer.
        """
        return [
            ("Contact", str(self.contact)),
            *self.ua.capabilities(),
            *self._session.accepting(request),
        ]

    def note_exchange(self, *, offer: bytes | None, answer: bytes | None) -> None:
        """Note the descriptions of a finished offer/answer exchange: the peer's and ours."""
        if offer is not None:
            self.remote_sdp = offer
        if answer is not None:
            self.local_sdp = answer

    def acknowledge(self, response: Response) -> None:
        """ACK a 2xx to our INVITE (RFC 3261 section 13.2.2.4)."""
        number = response.cseq.number
        headers: HeaderPairs = ()
        if number == self.request.cseq.number:
            # The credentials of the INVITE stand for its ACK, which cannot be challenged (section
            # 22.1).
            headers = [header for header in self.request.headers if header.key in _CREDENTIALS]
        try:
            flow = self._way()
        except LookupError as error:
            _log.warning("%s: ACK has nowhere to go: %s", self.ua.name, error)
            return
        ack = self._need_dialog().build("ACK", headers, cseq=number)
        self._acks[number] = self.ua.layer.send_ack(ack, flow), flow

    def _acknowledge_again(self, response: Response) -> None:
        """A 2xx came again, since its ACK was lost."""
        if response.is_success and response.cseq.number in self._acks:
            ack, flow = self._acks[response.cseq.number]
            flow.send(ack.raw)

    def repeat_until_acked(self, request: Request, send: Callable[[], None]) -> None:
        """Send our 2xx to an INVITE until its ACK comes.

        Without one in 64*T1 the dialog stands, and is to be ended (RFC 3261 section 13.3.1.4).
        """
        number = request.cseq.number

        def is_missing() -> None:
            self._unacked.pop(number, None)
            if self.state != "ended":
                self.ua.spawn(self._bye(End(How.NO_ACK, "local")), "BYE after a lost ACK")

        self._unacked[number] = Repeater(self.ua.timers, send, is_missing, capped=True)

    def notifier_of(self, request: Request) -> Notifier:
        """The subscription that the peer's REFER creates."""
        # RFC 3515 section 2.4.6: the id is needed from the second REFER of a dialog on.
        event = f"refer;id={request.cseq.number}" if self._notifiers else "refer"
        self._notifiers.append(Notifier(weakref.proxy(self), event))
        return self._notifiers[-1]

    def _notified(self, incoming: InDialogRequest) -> None:
        """Answer a NOTIFY of the peer's, and take it to its subscription."""
        package, _, params = (incoming.request.get("Event") or "").partition(";")
        number = Params.parse(params).get("id")
        live = [referral for referral in self._referrals if not referral.is_over]
        if number is not None:
            live = [referral for referral in live if str(referral.cseq) == number]
        if package.strip().lower() != "refer":
            incoming.respond(489)
        elif not live:
            incoming.respond(481)
        else:
            incoming.respond(200)
            live[0].notified(incoming.request)

    def usage_ended(self) -> None:
        """A dialog usage has ended; after the last one the call is forgotten (RFC 5057)."""
        if self.state != "ended" or self._bye_pending:
            return
        if all(subscription.is_over for subscription in self._subscriptions):
            self.ua.forget(self)

    @property
    def _subscriptions(self) -> list[Referral | Notifier]:
        return [*self._referrals, *self._notifiers]

    def _finish(self, end: End) -> None:
        """Note the end, once; the first one counts."""
        if self.state == "ended":
            return
        self.state = "ended"
        self.end = end
        self._session.stop()
        if not self._bye_pending:  # our own BYE has to wait for the ACK, so the 2xx goes on
            for repeater in self._unacked.values():
                repeater.stop()
            self._unacked.clear()
        self._reinvited = None  # it refers to this call
        self._ended.set(end)
        if self.on_ended is not None:
            self.on_ended(end)
        # Transactions refer to this call for 64*T1 more; it no longer refers to its application.
        self.on_ended = self.on_refer = None
        self.on_offer = self.on_info = None
        self.usage_ended()

    def stop(self) -> None:
        """The node stops: leave nothing running."""
        self._finish(End(How.STOPPED, "local"))
        for subscription in self._subscriptions:
            subscription.close()

    # --- session timer -----------------------------------------------------------------------------

    def _refresh_due(self) -> None:
        self.ua.spawn(self._refresh(), "session refresh")

    async def _refresh(self) -> None:
        """Refresh the session; a peer that has lost the dialog ends it."""
        # RFC 4028 section 7.4: an UPDATE is preferred, as it needs no description.
        if "UPDATE" in self._need_dialog().allowed:
            response = await self.change("UPDATE")
        else:
            response = await self.change("INVITE", self.local_sdp)
        if response.is_success or self.state != "confirmed":
            return
        # RFC 4028 section 10: these end the session, others do not.
        if response.status in (408, 481):
            await self._bye(End(How.EXPIRED, "local", 0, response.reason))
        else:
            self._session.refused()

    def _session_expired(self) -> None:
        if self.state == "confirmed":
            self.ua.spawn(self._bye(End(How.EXPIRED, "local")), "BYE of an expired session")

    # --- what the peer does ------------------------------------------------------------------------

    def ack_from(self, request: Request, flow: Flow) -> None:
        """Take the ACK of our 2xx; an ACK from another address than the peer's is ignored."""
        if self._need_dialog().is_from_peer(flow):
            self._ack_received(request)

    def _ack_received(self, request: Request) -> None:
        repeater = self._unacked.pop(request.cseq.number, None)
        if repeater is None:
            return
        repeater.stop()
        # An ACK has the peer's answer where our 2xx had the offer.
        self.note_exchange(offer=sdp_of(request), answer=None)

    def receive(self, transaction: ServerTransaction) -> None:
        """Handle a request within the dialog."""
        request = transaction.request
        flow = transaction.flow
        dialog = self._need_dialog()
        incoming = InDialogRequest(self, transaction)
        if not dialog.is_from_peer(flow):
            method = request.method
            _log.info("%s: %s of a dialog from a stranger, %s", self.ua.name, method, flow.remote)
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
        if flow.reliable:
            dialog.flow = flow  # the peer may have connected anew
        self._take(incoming)

    def _take(self, incoming: InDialogRequest) -> None:
        """Answer a request that is in order; handlers of the application do it where there are
        some.
        """
        match incoming.method:
            case "BYE":
                incoming.respond(200)
                self._finish(End(How.BYE, "remote"))
            case "NOTIFY":
                self._notified(incoming)
            case "INVITE" | "UPDATE":
                self._take_offer(incoming)
            case "REFER" if self.on_refer is not None:
                self.ua.serve(self.on_refer(incoming), incoming)
            case "REFER":
                incoming.respond(603)  # RFC 3515 section 2.4.2
            case "INFO" if self.on_info is not None:
                self.ua.serve(self.on_info(incoming), incoming)
            case "OPTIONS":
                incoming.respond(200, headers=self.ua.capabilities())
            case _:
                incoming.respond(405, headers=[("Allow", ", ".join(self.ua.methods()))])

    def _take_offer(self, incoming: InDialogRequest) -> None:
        """A re-INVITE, or an UPDATE: an offer, or a mere refresh of the session."""
        is_invite = incoming.method == "INVITE"
        offer = incoming.offer
        is_refresh = not is_invite and offer is None
        if self._is_offering and not is_refresh:
            # Both sides offer at once (RFC 3261 section 14.2, RFC 3311 section 5.2).
            incoming.respond(491)
            return
        if is_invite and self._is_being_offered():
            # RFC 3261 section 14.2.
            incoming.respond(500, headers=[("Retry-After", str(random.randint(0, 10)))])
            return
        if is_too_small(incoming.request, self.ua.least_session_s):
            incoming.respond(422, headers=[("Min-SE", str(self.ua.least_session_s))])
            return
        if is_invite:
            self._reinvited = incoming
        if is_refresh:
            incoming.accept()
        elif self.on_offer is not None:
            self.ua.serve(self.on_offer(incoming), incoming)
        elif offer is None or offer == self.remote_sdp:  # nothing changes
            incoming.accept(self.local_sdp)
        else:
            incoming.respond(488)

    def _is_being_offered(self) -> bool:
        """Whether an INVITE of the peer is still open."""
        if self.state == "early":
            return True
        return self._reinvited is not None and not self._reinvited.is_answered
