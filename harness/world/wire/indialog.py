"""Requests that arrive within a call, and how its application answers them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.sip.grammar import SipSyntaxError
from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr
from harness.world.wire.content import content_header, sdp_of
from harness.world.wire.referral import Notifier, ReferringCall
from harness.world.wire.repeat import Repeater
from harness.world.wire.transaction import ServerTransaction
from harness.world.wire.waiting import Waitable


class AnsweringCall(ReferringCall, Protocol):
    """The call, as requests within it see it."""

    local_sdp: bytes | None
    remote_sdp: bytes | None

    def answer_headers(self, request: Request) -> list[tuple[str, str]]:
        """What a 2xx to an INVITE or UPDATE carries besides its body."""

    def target_headers(self) -> list[tuple[str, str]]:
        """Contact, for responses that refresh our target."""

    def note_exchange(self, *, offer: bytes | None, answer: bytes | None) -> None:
        """An offer of the peer's was answered."""

    def await_ack(self, cseq: int, repeater: Repeater) -> None:
        """A 2xx of ours is being repeated until its ACK comes."""

    def ack_missing(self, request: Request) -> None:
        """No ACK came in time."""

    def new_notifier(self, request: Request, *, silent: bool) -> Notifier:
        """A subscription by the peer's REFER."""


class InDialogRequest:
    """A request within a dialog. It is answered once, also after its handler has returned."""

    def __init__(self, call: AnsweringCall, transaction: ServerTransaction) -> None:
        self.call = call
        self.request: Request = transaction.request
        self._transaction = transaction
        self.settled: Waitable[bool] = Waitable()
        """Set once nothing more happens to it: answered, and for a 2xx to a re-INVITE acknowledged or given up."""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def offer(self) -> bytes | None:
        """The SDP in it, None without."""
        return sdp_of(self.request)

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
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
        request.respond(481)  # no subscription of ours (RFC 6665 section 4.1.3)
    else:
        request.respond(405, headers=[("Allow", ", ".join(accepted))])
