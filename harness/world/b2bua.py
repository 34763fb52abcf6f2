"""A call through a back-to-back user agent (RFC 7092): two dialogs, and what is relayed between
them.

The carrier uses it with media passed by, the platforms with media anchored. Legs may be exchanged
while the call lasts: that is how a transfer is carried out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from harness.deployment import Deployment
from harness.sip.digest import Credentials
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import asserted as asserted_in
from harness.sip.identity import dialled_at_home, has_national_form, identity_of, normalise
from harness.sip.message import Request, Response
from harness.sip.offer_answer import NoAgreementError
from harness.sip.sdp import Description, SdpError
from harness.sip.uri import NameAddr, Uri
from harness.world.audit import Audit
from harness.world.media.leg import Impairment, LegMedia, couple
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import CallFailedError, End, sdp_of
from harness.world.wire.invite import IncomingCall, OutgoingCall
from harness.world.wire.transport import Endpoint, Flow

Headers = list[tuple[str, str]]
Call = IncomingCall | OutgoingCall
Watched = tuple[Call, LegMedia | None]
"""An answered leg, with its media where that is anchored here."""


class DirectMedia:
    """Descriptions pass unchanged; media does not come through here. Has the methods of `LegMedia`
    that a call needs.
    """

    def __init__(self) -> None:
        self.remote: Description | None = None
        self.local: Description | None = None

    def learn(self, body: bytes) -> Description:
        self.remote = Description.parse(body)
        return self.remote

    def pass_on(self, other: Description) -> bytes:
        self.local = other
        return bytes(other)

    pass_answer = pass_on

    def again(self) -> bytes:
        return bytes(self.local) if self.local is not None else b""

    def restore(self, local: Description | None) -> None:
        self.local = local

    def close(self) -> None:
        """The leg is over."""


LegSdp = LegMedia | DirectMedia
"""A leg's side of offer and answer (RFC 3264): media is anchored here, or passes by."""


@dataclass(eq=False)
class WireLeg:
    """One dialog of the call and its media. ``peer`` names the far end in the audit."""

    call: IncomingCall | OutgoingCall
    media: LegSdp
    peer: str

    @property
    def is_up(self) -> bool:
        """Whether it was answered and has not ended."""
        return self.call.state == "confirmed"

    @property
    def anchored(self) -> LegMedia:
        """Its media, in a call whose media is anchored here."""
        assert isinstance(self.media, LegMedia)
        return self.media


@dataclass(frozen=True, kw_only=True)
class LegTarget:
    """The target of a new leg."""

    peer: str
    ua: UserAgent
    uri: Uri
    hop: Endpoint | None = None
    flow: Flow | None = None
    from_: NameAddr
    headers: Headers = field(default_factory=list)
    credentials: Credentials | None = None
    #: The digit that accepts the call after it was answered, and seconds to wait for it.
    accept: tuple[str, float] | None = None


class LegRefusedError(Exception):
    """A leg could not be set up; ``status`` is the final response."""

    def __init__(self, status: int, reason: str | None = None) -> None:
        super().__init__(f"{status} {reason or ''}".strip())
        self.status = status
        self.reason = reason


class BackToBack:
    """A call of at most two joined legs, with a third one during a transfer.

    A node makes it of an incoming call, and calls `start`. Its `run` then decides whom to call:
    `dial` does all of it; `ring`, then `connect`, where several targets ring and one wins. From
    then on requests of one leg are passed to the other: offers, INFO, REFER. The end of a joined
    leg ends the others, unless it is in `leaving`; after the last leg's end the call leaves the
    registry.

    Every dialog has its own Call-ID, tags and CSeq, and no header crosses but those that are
    listed: to both peers this is a user agent (RFC 7092).
    """

    def __init__(self, name: str, audit: Audit, registry: set[Any]) -> None:
        self.name = name
        self.audit = audit
        self._registry = registry
        self.legs: list[WireLeg] = []  # the joined ones: at most two
        self._all: set[WireLeg] = set()
        #: Legs that have asked to be replaced: the call goes on without them.
        self.leaving: set[WireLeg] = set()
        self._uncouple: Callable[[], None] | None = None  # stops the relay of media
        self._work: asyncio.Task[None] | None = None  # :meth:`run`, while it goes on

    # --- legs --------------------------------------------------------------------------------------

    def adopt(self, leg: WireLeg) -> WireLeg:
        """Make the leg a part of this call."""
        self._all.add(leg)
        call = leg.call
        call.on_offer = lambda request: self._renegotiate(leg, request)
        call.on_info = lambda request: self.on_info(leg, request)
        call.on_refer = lambda request: self._referred(leg, request)
        call.on_ended = lambda end: self._leg_ended(leg, end)
        return leg

    def other(self, leg: WireLeg) -> WireLeg | None:
        """The leg that ``leg`` is joined with."""
        if leg not in self.legs:
            return None
        return next((other for other in self.legs if other is not leg), None)

    def join(self, leg: WireLeg, to: WireLeg) -> None:
        """Join ``leg`` with ``to``, instead of the leg that ``to`` was joined with before."""
        self.legs = [to, leg]
        self.recouple()

    def recouple(self, *pair: WireLeg) -> None:
        """Relay media between the joined legs, or the two of ``pair``, by their present
        descriptions.
        """
        if self._uncouple is not None:
            self._uncouple()
            self._uncouple = None
        pair = pair or tuple(self.legs)
        if len(pair) != 2:
            return
        a, b = pair
        if isinstance(a.media, LegMedia) and isinstance(b.media, LegMedia):
            self._uncouple = couple(a.media, b.media, *self.impairments_between(a, b))

    @property
    def relays(self) -> int:
        return int(self._uncouple is not None)

    def plain(self) -> dict[str, Any]:
        """JSON-ready: its name, and the peer and state of each leg."""
        return {
            "name": self.name,
            "legs": [{"peer": leg.peer, "state": leg.call.state} for leg in self],
        }

    def watched(self) -> list[Watched]:
        """Its answered legs."""
        found: list[Watched] = []
        for leg in self:
            if leg.is_up:
                media = leg.media if isinstance(leg.media, LegMedia) else None
                found.append((leg.call, media))
        return found

    def __iter__(self) -> Iterator[WireLeg]:
        """All legs, as a snapshot: a leg that is hung up may end at once, and leave."""
        return iter(tuple(self._all))

    # --- calling -----------------------------------------------------------------------------------

    async def dial(self, target: LegTarget, toward: WireLeg, within: float) -> WireLeg:
        """Call ``target`` for ``toward`` and join them once it answers; early media is joined
        before.

        Raises `LegRefusedError`: with 480 when it still rings after ``within`` seconds, with 488
        when nothing could be agreed. A cancelled dial takes its INVITE back.
        """
        leg = await self.ring(target, toward, within)
        self.connect(leg, toward)
        return leg

    async def ring(
        self,
        target: LegTarget,
        toward: WireLeg,
        within: float,
        on_ringing: Callable[[int, str], None] | None = None,
    ) -> WireLeg:
        """As :meth:`dial`, but without joining: for ring groups, which join the first target that
        answers.
        """
        if toward.call.state == "ended":  # a group that rings in turns stops
            raise LegRefusedError(487)
        media = self.new_media(target.peer)
        call: OutgoingCall | None = None
        try:
            call = target.ua.invite(
                target.uri,
                from_=target.from_,
                hop=target.hop,
                flow=target.flow,
                sdp=self.offer(media, toward, target.peer),
                headers=target.headers,
                credentials=target.credentials,
            )
            leg = self.adopt(WireLeg(call, media, target.peer))
            call.on_provisional = partial(self._provisional, leg, toward, on_ringing)
            response = await call.wait_answered(within)
            body = sdp_of(response)
            if body is not None:
                media.learn(body)
            if media.remote is None:
                raise SdpError("the answer has no SDP")
            return leg
        except TimeoutError:
            raise LegRefusedError(480) from None
        except CallFailedError as error:
            # A challenge that we could not meet concerns us and that peer, not the caller.
            status = 500 if error.status in (401, 407) else error.status
            raise LegRefusedError(status, error.reason or None) from None
        except (SipSyntaxError, NoAgreementError) as error:
            raise LegRefusedError(488, str(error)) from None
        except LookupError as error:  # no next hop, or no listener of its transport
            raise LegRefusedError(503, str(error)) from None
        finally:
            # Nothing stays behind: the leg's own end closes its media, where there is a leg.
            if call is None:
                media.close()
            elif call.state != "confirmed" or media.remote is None:
                call.hangup()

    def new_media(self, peer: str) -> LegSdp:
        """The media of a new leg to ``peer``: passed by (a platform anchors it)."""
        return DirectMedia()

    def offer(self, media: LegSdp, toward: WireLeg, peer: str) -> bytes:
        """What is offered to a new leg: what ``toward`` offered, or what was agreed with it. Raises
        SdpError.
        """
        if toward.media.remote is None:
            raise SdpError("an offer is needed")
        return media.pass_on(toward.media.remote)

    def connect(self, leg: WireLeg, toward: WireLeg) -> None:
        """Join an answered leg, answering ``toward`` if it still waits."""
        call = toward.call
        if isinstance(call, IncomingCall) and call.state == "early":
            call.answer(self.answer(toward, leg))
        self.join(leg, toward)

    def answer(self, toward: WireLeg, leg: WireLeg) -> bytes:
        """The answer that ``toward`` gets once ``leg`` has answered. One that early media brought
        stands (RFC 3261 section 13.2.1).
        """
        assert leg.media.remote is not None
        if toward.media.local is not None:
            return toward.media.again()
        return toward.media.pass_answer(leg.media.remote)

    def _provisional(
        self,
        leg: WireLeg,
        toward: WireLeg,
        on_ringing: Callable[[int, str], None] | None,
        response: Response,
    ) -> None:
        """Pass ringing and early media on to a caller who waits; 100 is for each hop alone."""
        if response.status == 100:
            return
        if on_ringing is not None:
            on_ringing(response.status, response.reason)
        body = sdp_of(response)
        if body is not None:
            try:
                leg.media.learn(body)
            except SipSyntaxError:
                body = None  # the call may still be answered with a better one
        call = toward.call
        if not isinstance(call, IncomingCall) or call.state != "early":
            return
        if body is not None:
            call.progress(response.status, self.answer(toward, leg))
            self.recouple(toward, leg)
        elif response.status == 180:
            call.ring()

    # --- what passes through -----------------------------------------------------------------------

    async def _renegotiate(self, leg: WireLeg, request: InDialogRequest) -> None:
        """Pass an offer within the call on to the other leg, and its answer back; a refusal leaves
        both sides as they were (RFC 3261 section 14.2).
        """
        other = self.other(leg)
        offer = request.offer
        if offer is None or other is None or not other.is_up:
            renegotiate_alone(leg.media, request)
            return
        before = other.media.local
        try:
            passed_on = other.media.pass_on(Description.parse(offer))
            response = await other.call.change(request.method, passed_on)
            if not response.is_success:
                other.media.restore(before)
                request.respond(response.status, response.reason)
                return
            answered = other.media.learn(sdp_of(response) or b"")
            leg.media.learn(offer)
            request.accept(leg.media.pass_answer(answered))
        except SipSyntaxError as error:
            request.respond(488, str(error))
        self.recouple()

    async def on_info(self, leg: WireLeg, request: InDialogRequest) -> None:
        """Pass an INFO on to the other leg, unchanged."""
        other = self.other(leg)
        if other is None or not other.is_up:
            request.respond(200)
            return
        message = request.request
        headers = _named(message, "x-", "info-package")
        response = await other.call.send("INFO", headers, message.body, message.get("Content-Type"))
        accepts = response.get("Accept")  # of a 415 (RFC 3261 section 21.4.13)
        passed_back = [("Accept", accepts)] if accepts else []
        request.respond(response.status, response.reason, passed_back)

    async def _referred(self, leg: WireLeg, request: InDialogRequest) -> None:
        """A REFER whose target can be read goes to :meth:`on_refer`."""
        try:
            target = request.refer_to
        except SipSyntaxError as error:
            request.respond(400, str(error))
            return
        await self.on_refer(leg, request, target)

    async def on_refer(self, leg: WireLeg, request: InDialogRequest, target: NameAddr) -> None:
        """Pass a REFER on to the other leg, whose peer then calls; its NOTIFYs come back (a
        platform may do otherwise).
        """
        await self.pass_refer_on(leg, request, target)

    async def pass_refer_on(self, leg: WireLeg, request: InDialogRequest, target: NameAddr) -> None:
        """Ask the other leg's peer to call ``target``, and tell the referrer how it goes."""
        other = self.other(leg)
        if other is None or not other.is_up:
            request.respond(480)
            return
        referral = other.call.refer(target, request.request.get("Referred-By"))
        response = await referral.wait_accepted()
        if not response.is_success:
            request.respond(response.status, response.reason)
            return
        notifier = request.accept_refer(response.status)
        for status, reason in referral.progress:  # NOTIFYs that came before the answer to the REFER
            if status > 100:
                await notifier.notify(status, reason)

        def tell(status: int, reason: str) -> None:
            self.audit.spawn(notifier.notify(status, reason), f"{self.name} NOTIFY")

        final = referral.final
        if final is None:
            referral.on_progress = tell
        elif not notifier.is_over:
            await notifier.notify(*final)

    def passes_on(self, leg: WireLeg, end: End) -> bool:
        """Whether the end of a joined leg ends the others: always (a platform may be wrong)."""
        return True

    def impairments_between(
        self, a: WireLeg, b: WireLeg
    ) -> tuple[Impairment | None, Impairment | None]:
        """The impairments of the media from ``a`` to ``b``, and back: none."""
        return None, None

    # --- beginning and end -------------------------------------------------------------------------

    def start(self, first: WireLeg) -> None:
        """Begin with the first leg; :meth:`run` does the rest."""
        self._registry.add(self)
        self.legs = [self.adopt(first)]
        self._work = self.audit.spawn(self._run(first), self.name)

    async def run(self, first: WireLeg) -> None:
        """Carry the call out. Failures reach the caller by :meth:`refuse`."""
        raise NotImplementedError

    async def _run(self, first: WireLeg) -> None:
        """Have each way that :meth:`run` fails reach the caller, and none the event loop but a
        defect.
        """
        try:
            await self.run(first)
        except LegRefusedError as error:
            self.refuse(first, error.status, error.reason)
        except (SipSyntaxError, NoAgreementError) as error:
            self.refuse(first, 488, str(error))
        except Exception:
            self.refuse(first, 500)
            raise
        finally:
            self._work = None  # a task that was cancelled keeps this frame
            self._settle()

    def refuse(self, first: WireLeg, status: int, reason: str | None = None) -> None:
        """End the call with that response, or by BYE if it was answered."""
        if isinstance(first.call, IncomingCall) and first.call.state == "early":
            first.call.reject(status, reason)
        else:
            first.call.hangup()

    def hangup(self) -> None:
        """End every leg."""
        if self._work is not None:
            self._work.cancel()
        for leg in self:
            leg.call.hangup()

    def _leg_ended(self, leg: WireLeg, end: End) -> None:
        """Release the leg's media, and end the other legs unless this one has been replaced, rang
        for a group, or a fault keeps them up. A call that is still being set up is given up.
        """
        was_joined = leg in self.legs
        leg.media.close()
        self._all.discard(leg)
        if was_joined:
            self.legs = [kept for kept in self.legs if kept is not leg]
            self.recouple()
        if leg in self.leaving:
            self.leaving.discard(leg)
        elif was_joined and self.passes_on(leg, end):
            if self._work is not None and self._is_at_work():
                self._work.cancel()
            for remaining in self:
                remaining.call.hangup()
        self._settle()

    def _settle(self) -> None:
        if not self._all and not self._is_at_work():
            self._registry.discard(self)

    def _is_at_work(self) -> bool:
        """Whether :meth:`run` goes on, in another task than this one."""
        if self._work is None or self._work.done():
            return False
        return self._work is not asyncio.current_task()


def renegotiate_alone(media: LegSdp, request: InDialogRequest) -> bool:
    """Answer a re-INVITE or UPDATE that concerns this leg alone: a refresh, or a leg that is not
    joined.

    Returns whether it brought an offer that was accepted.
    """
    if request.offer is None:
        request.accept(media.again())
        return False
    if not isinstance(media, LegMedia):
        request.respond(488)
        return False
    try:
        request.accept(media.answer(request.offer))
    except (SipSyntaxError, NoAgreementError) as error:
        request.respond(488, str(error))
        return False
    return True


def x_headers(request: Request) -> Headers:
    """The headers that a call takes along from leg to leg."""
    return _named(request, "x-")


def _named(request: Request, *beginnings: str) -> Headers:
    found = []
    for name, value in request.headers:
        if name.lower().startswith(beginnings):
            found.append((name, value))
    return found


def number_of(uri: Uri, region: str) -> str | None:
    """The number a ``sip:`` or ``tel:`` URI names, in E.164; None when its user part is no number
    (RFC 3261 19.1.6).
    """
    return None if uri.user is None else normalise(uri.user.partition(";")[0], region)


def unassigned_number(deployment: Deployment) -> str:
    """A number without a subscriber: the one that the deployment names, else a number reserved for
    fiction.
    """
    return deployment.numbers.no_such_number or "+12015550199"


ANONYMOUS = NameAddr(Uri("sip", "anonymous", "anonymous.invalid"), "Anonymous")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller's number in E.164 (or a user name), its display name, and whether the caller
    withholds them.

    A platform keeps the caller through a call, and writes it anew for each leg: for the AI, for an
    agent, for the public network.
    """

    number: str
    display: str | None = None
    withheld: bool = False

    @classmethod
    def of(cls, request: Request, region: str, *, asserted: bool) -> Caller:
        """The caller of a request: by P-Asserted-Identity if ``asserted``, since its sender is
        trusted; else by From.
        """
        shown = request.from_
        trusted = asserted_in(request, region) if asserted else ()
        # RFC 3323 section 4.2 and RFC 3325 section 9.3; a From without an identity says the same.
        is_private = bool(request.tokens("Privacy") & {"id", "user", "header"})
        withheld = is_private or shown.uri.host.lower() == ANONYMOUS.uri.host
        known = trusted[0] if trusted else identity_of(shown, region)
        number = known.number or known.uri.user or "anonymous"
        return cls(number, None if withheld else shown.display, withheld)

    def showing(self, number: str) -> Caller:
        """The caller with another number to show."""
        return replace(self, number=number, display=None, withheld=False)

    def written(self, form: str, region: str) -> Caller:
        """The caller with the number as a platform in ``region`` writes it in that form."""
        if form != "national" or not self.number.startswith("+"):
            return self
        if not has_national_form(self.number, region):
            return self
        return replace(self, number=dialled_at_home(self.number))

    def from_(self, host: str) -> NameAddr:
        """The From header that the next hop sees."""
        if self.withheld:
            return ANONYMOUS
        return NameAddr(Uri("sip", self.number, host), self.display)

    def asserted(self, host: str) -> list[tuple[str, str]]:
        """The headers for a trusted peer: the real number, and Privacy if the caller withholds it."""
        identity = NameAddr(Uri("sip", self.number, host), self.display)
        headers = [("P-Asserted-Identity", str(identity))]
        if self.withheld:
            headers.append(("Privacy", "id"))
        return headers


SILENT_SECONDS: Final = 4.0  #: after so long without RTP, a leg gets an OPTIONS
AUDIT_SECONDS: Final = 10.0  #: how often a leg without media here gets an OPTIONS
ANSWER_SECONDS: Final = 4.0  #: how long the leg has to answer
_ROUND_SECONDS = 1.0


async def end_dead_calls(legs: Callable[[], Iterable[Watched]], audit: Audit) -> None:
    """Watch answered legs until cancelled. Silence alone does not end a call: it may be on hold."""
    asked: dict[Call, float] = {}  # when each leg was last asked
    while True:
        await asyncio.sleep(_ROUND_SECONDS)
        now = time.monotonic()
        before, asked = asked, {}  # legs that are over are forgotten
        for call, media in legs():
            # Media shows that a leg lives; one without media here is asked from time to time.
            asked[call] = before.get(call, now if media is None else 0.0)
            is_silent = media is None or media.silent_for() > SILENT_SECONDS
            if is_silent and now - asked[call] >= AUDIT_SECONDS:
                asked[call] = now
                audit.spawn(_ask(call), f"asks after {call.call_id}")


async def _ask(call: Call) -> None:
    """Hang up a leg that does not answer an OPTIONS."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            is_gone = (await call.send("OPTIONS")).received is None  # a local 408 or 503
    except TimeoutError:
        is_gone = True
    if is_gone:
        call.hangup()
