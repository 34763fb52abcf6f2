"""Calls through the platform's SBC, from the carrier or over a trunk from the AI: menu, AI, fallback,
transfer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from harness.audio.marks import PERIOD
from harness.deployment import Trunk
from harness.deployment.values import SAY, SILENCE, keys_of
from harness.sip.identity import national
from harness.sip.uri import NameAddr, Uri
from harness.world.addresses import Host
from harness.world.b2bua import (
    ANONYMOUS,
    BackToBack,
    Caller,
    Headers,
    LegRefusedError,
    LegSdp,
    LegTarget,
    WireLeg,
    number_of,
    unassigned_number,
    x_headers,
)
from harness.world.media import sound
from harness.world.media.digits import take_info
from harness.world.media.leg import Impairment, LegMedia, is_event
from harness.world.media.sound import Player
from harness.world.platform import impairments
from harness.world.platform.answering import (
    CLOSED,
    PATIENCE_SECONDS,
    VOICEMAIL,
    RingGroup,
    wait_for_digit,
)
from harness.world.platform.base import Platform
from harness.world.platform.impairments import faulty_offer, impairments_with_ai
from harness.world.platform.routing import GroupRoute, LineRoute, Route, Termination, line_of
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import End, How
from harness.world.wire.invite import IncomingCall

AI: Final = "ai"
_SOMEBODY_ELSE = "+12015550198"
_RING_SECONDS = 120.0  # of a person the platform calls; agents and the AI have other times
#: Seconds of RTP between caller and agent before it stops: enough for each to hear the other.
_SOON_S = 0.7
_KEPT_SECONDS = 8.0  # the platform ends a leg so long after its other side has gone
_NO_WAY = frozenset({408, 480, 500, 503})  # after which a number's failover trunk is tried
_PRIVATE_ADDRESS = "10.0.0.10"


class PlatformCall(BackToBack):
    """A call that came in: from the carrier, or (``termination``) over a trunk from the AI.

    Its way, each step a method:

    - `run` finds where the called number leads: to a line, to a group, or out to the carrier;
    - `_goes_in` takes the caller through hours, announcement and menu;
    - `to_ai` calls the AI over the line's trunk, and the group that takes over if that fails;
    - `ring_group` rings people, for a number of theirs, as fallback, or for a transfer;
    - `on_refer` carries out a transfer of the AI's: the caller's leg stays, the AI's is replaced.

    A fault is asked for with `_wrong` at the one place whose behaviour it changes, and only where
    it makes a difference: one that is on and asked for counts as having acted.
    """

    line: str | None = None  #: None until it is known, and for calls of no line
    #: The platform's number that was called, of a transfer the one of its line on the AI's trunk.
    called: str | None = None
    caller: Caller = Caller("anonymous", withheld=True)

    def __init__(
        self,
        platform: Platform,
        incoming: IncomingCall | None,
        name: str,
        termination: Termination | None = None,
    ) -> None:
        super().__init__(name, platform.audit, platform.calls)
        self.platform = platform
        self.incoming = incoming
        self.termination = termination
        self._digits: asyncio.Queue[str] | None = None  # what a menu hears, while there is one
        self._transferred = False
        self._ai_said = deque[bytes](maxlen=PERIOD // sound.FRAME)

    # --- routing -----------------------------------------------------------------------------------

    async def run(self, first: WireLeg) -> None:
        """Route the call by the called number."""
        call = self.incoming
        platform = self.platform
        assert call is not None
        if call.offer is None:
            raise LegRefusedError(488, "An offer is needed")
        first.media.learn(call.offer)
        call.progress(100)
        # Carrier and AI are trusted for the number they assert (RFC 3325): their addresses are known.
        self.caller = Caller.of(call.request, platform.region, asserted=True)
        number = platform.routes.called(call.request.uri)
        route = self._route_of(call, number)
        if route is not None:
            if self.termination is None:
                self.called = number
            chosen = await self._goes_in(first, route)
            if isinstance(chosen, GroupRoute):
                await self._to_group(first, chosen)
            elif chosen is not None:
                self.name = f"{platform.name} {chosen.name} {call.call_id}"
                await self.to_ai(first, chosen, x_headers(call.request))
        elif number and platform.is_outside(number):
            outside = platform.outside(number, self.caller, x_headers(call.request))
            await self.dial(outside, first, _RING_SECONDS)
        else:
            raise LegRefusedError(404)

    def _route_of(self, call: IncomingCall, number: str | None) -> Route | None:
        """Where the call leads within the platform: over a trunk from the AI, only to groups."""
        if self.termination is None:
            return self.platform.routes.find(number or "")
        route = self.platform.routes.from_ai(call.request.uri)
        return route if isinstance(route, GroupRoute) else None

    async def _to_group(self, first: WireLeg, route: GroupRoute) -> None:
        assert self.incoming is not None
        if self.termination is not None:
            self._transfer_over(self.termination)
        headers = x_headers(self.incoming.request)
        group = self.platform.group_for(route.name, headers, self.line)
        try:
            leg = await self.ring_group(group, first, headers)
        except LegRefusedError:
            # A line for people may overflow to the AI, or to another group; a group's own number
            # has nothing behind it.
            if route.line is None:
                raise
            to_ai = self.platform.routes.overflow(route.line, self.called or "")
            if to_ai is not None:
                await self.to_ai(first, to_ai, headers)
                return
            fallback = self.platform.routes.fallback(route.line)
            if fallback is None:
                raise
            leg = await self.ring_group(fallback, first, headers)
        self.connect(leg, first)

    def _transfer_over(self, termination: Termination) -> None:
        """Note that the AI hands over by a call of its own, and of which line and number."""
        self._transferred = True
        self.line = self.platform.line_behind(termination)
        if self.line is not None:
            numbers = self.platform.deployment.numbers_of_line(self.line)
            self.called = numbers.get(termination.trunk.name)

    async def _goes_in(self, first: WireLeg, route: Route) -> Route | None:
        """Go through hours, announcement and menus; return where they lead, None when the call has
        been handled by then.
        """
        name = line_of(route)
        if name is None:  # a group's own number
            return route
        self.line = name
        line = self.platform.lines[name]
        closes_after_menu = self.platform.deployment.closes_after_menu
        # Lines that share a number may have hours of their own: then the menu comes first, as it
        # says which line is called.
        if not closes_after_menu(name) and await self._is_closed(first, name):
            return None
        if self.platform.settings.line(name).answers_first or self._wrong("platform-answers-first"):
            self._answered(first)
        await self._give_notice(first, line.announcement_s)
        menu = self.platform.routes.menu(self.called or "")
        if menu:
            route = await self._choose(first, menu)
            name = line_of(route) or name
            self.line = name
            line = self.platform.lines[name]
        if closes_after_menu(name) and await self._is_closed(first, name):
            return None
        if menu:
            await self._give_notice(first, line.notice_s)
        return route

    async def to_ai(self, first: WireLeg, route: LineRoute, headers: Headers) -> None:
        """Connect to the AI, or to the group that takes over for it."""
        self.line = route.name
        routes = self.platform.routes
        if self._wrong("route-missing"):
            group = routes.own_agents(route)  # without a SIP transfer, people answer
        else:
            try:
                await self._dial_ai(first, route, headers)
                return
            except LegRefusedError:
                group = routes.fallback(route.name)
                if group is None:
                    raise
        if group is None:
            raise LegRefusedError(480)
        self.connect(await self.ring_group(group, first, headers), first)

    async def _choose(self, first: WireLeg, menu: Mapping[str, Route]) -> Route:
        """Answer, and take digits until they name one of the menu's choices."""
        media = self._answered(first)
        queue = self._digits = asyncio.Queue()
        pressed = ""
        try:
            while pressed not in menu:
                left = {}
                for keys, route in menu.items():
                    if keys.startswith(pressed):
                        left[keys.removeprefix(pressed)] = route
                pressed += await self._next_choice(left, queue, media)
            return menu[pressed]
        finally:
            self._digits = None

    async def _next_choice(
        self, left: Mapping[str, Route], digits: asyncio.Queue[str], media: LegMedia
    ) -> str:
        """The next digit of one of the choices ``left``, or what a menu has in place of digits:
        `SILENCE`, or a choice that is said.
        """
        said = {self._said(route): keys for keys, route in left.items() if keys.startswith(SAY)}
        by_silence = left.get(SILENCE)
        try:
            key = await wait_for_digit(
                [keys_of(keys)[0] for keys in left],
                digits,
                media,
                self.platform.ticker,
                self._menu_waits_s(by_silence),
                prompts=said,
            )
        except LegRefusedError:
            if by_silence is None:
                raise
            return SILENCE
        return said.get(key, key)

    def _said(self, route: Route) -> str:
        """What leads there in place of a digit."""
        return str(self.platform.lines[str(line_of(route))].say)

    def _menu_waits_s(self, by_silence: Route | None) -> float:
        """How long a menu waits for a digit; ``by_silence``: where it goes on without one."""
        if by_silence is None:
            return PATIENCE_SECONDS
        name = line_of(by_silence)
        return PATIENCE_SECONDS if name is None else self.platform.lines[name].menu_waits_s

    def _answered(self, first: WireLeg) -> LegMedia:
        """The caller's leg, answered by the platform itself unless it has been answered already."""
        call = first.call
        media = first.anchored
        if isinstance(call, IncomingCall) and call.state == "early" and call.offer is not None:
            call.answer(media.answer(call.offer))
        return media

    def _takes_as_open(self, is_open: bool) -> bool:
        """Whether the platform takes an opening as open; with the fault, it errs."""
        return is_open != self._wrong("hours-wrong")

    async def _is_closed(self, first: WireLeg, line: str) -> bool:
        """Whether the number is out of its hours; the call has then been handled."""
        settings = self.platform.settings.line(line)
        deployment = self.platform.deployment
        is_open = settings.open
        if is_open is None:
            is_open = deployment.is_open(line)
        if self._takes_as_open(is_open):
            return False
        group = settings.closed_group or deployment.opening(line).closed
        if group is not None:
            self.connect(await self.ring_group(group, first, []), first)
        else:
            await self.dial(self.platform.announcement(CLOSED, self), first, _RING_SECONDS)
        return True

    async def _give_notice(self, first: WireLeg, seconds: float) -> None:
        """Answer, and play an announcement or a recording notice."""
        if not seconds:
            return
        player = Player(self.platform.ticker, self._answered(first), sound.notice)
        try:
            await asyncio.sleep(seconds)
        finally:
            player.stop()

    async def _dial_ai(self, first: WireLeg, route: LineRoute, headers: Headers) -> None:
        """Call the AI over the line's trunk, and over its failover trunk if the first leads
        nowhere.
        """
        trunk = self.platform.routes.trunk(route)
        if trunk is None:
            raise LegRefusedError(503, "The routing names a trunk that does not exist")
        try:
            await self._dial_over(trunk, first, route, headers)
        except LegRefusedError as error:
            # An AI that refuses has been reached: another trunk would lead to the same answer.
            if route.line.failover is None or error.status not in _NO_WAY:
                raise
            failover = self.platform.deployment.trunk(route.line.failover)
            await self._dial_over(failover, first, route, headers)

    async def _dial_over(
        self, trunk: Trunk, first: WireLeg, route: LineRoute, headers: Headers
    ) -> None:
        """Call the AI over one trunk, with ringback for a caller who has been answered."""
        termination = self.platform.terminations[trunk.name]
        if termination.is_full(route.name):
            raise LegRefusedError(503, "The trunk carries no more calls")
        if self._wrong("trunk-down") and trunk.name == route.trunk:
            raise LegRefusedError(503)
        # From before it rings until its leg ends, whatever becomes of the caller, the call takes
        # one of the trunk's places.
        termination.in_use.add(self)
        try:
            configured = self.platform.context.timings.ring_timeout_s
            timeout = self.platform.routes.ring_timeout(route, configured)
            assistant = self._ai(termination, route, headers)
            leg = await self._with_ringback(first, self.dial(assistant, first, timeout))
        except BaseException:
            termination.in_use.discard(self)
            raise
        self.audit.spawn(self._release(termination, leg), f"{self.name} trunk")

    async def _release(self, termination: Termination, leg: WireLeg) -> None:
        await leg.call.wait_ended()
        termination.in_use.discard(self)

    async def _with_ringback(
        self,
        first: WireLeg,
        dial: Awaitable[WireLeg],
        plays: Callable[[str], sound.Frames] = sound.ringback,
    ) -> WireLeg:
        """Play ringback to a caller who has been answered; a caller who is still with the AI keeps
        hearing the AI.

        Streams are not mixed here, and two at once would count as loss.
        """
        player = None
        if first.is_up and self.other(first) is None:
            player = Player(self.platform.ticker, first.anchored, plays)
        try:
            return await dial
        finally:
            if player is not None:
                player.stop()

    # --- targets -----------------------------------------------------------------------------------

    def _ai(self, termination: Termination, route: LineRoute, headers: Headers) -> LegTarget:
        """The assistant at the other end of the trunk, and the caller as it is shown to it."""
        platform = self.platform
        trunk = termination.trunk
        in_the_clear = route.line.plaintext or self._wrong("tls-not-appended")
        # A line that is declared unreachable is so over its own trunk; its failover trunk works.
        is_reachable = route.line.reachable or trunk.name == route.line.failover
        ua, hop = termination.next_hop(
            route.name,
            other_host=None if is_reachable else platform.context.block[Host.NO_LISTENER],
            in_the_clear=in_the_clear,
        )
        passed_on = [] if headers and self._wrong("x-headers-stripped") else headers
        whose = self._shown_to_ai()
        if self._wrong("pai-other-number"):
            whose = whose.showing(_SOMEBODY_ELSE)
        asserted = [] if self._wrong("pai-stripped") else whose.asserted(platform.domain)
        return LegTarget(
            peer=AI,
            ua=ua,
            uri=hop.uri(platform.routes.assistant_called(route)),
            hop=hop,
            from_=self._from_to_ai(route, trunk.name),
            headers=[*passed_on, *asserted, *platform.headers_to_ai(self, route)],
            credentials=termination.credentials if trunk.authentication == "digest" else None,
        )

    def _from_to_ai(self, route: LineRoute, trunk: str) -> NameAddr:
        """The From that the AI gets: as the trunk writes numbers, or as a fault spoils it."""
        domain = self.platform.domain
        caller = self._shown_to_ai()
        if self._wrong("from-anonymous"):
            return ANONYMOUS
        if self._wrong("from-trunk-did"):
            return caller.showing(route.did).from_(domain)
        if self._wrong("from-national") and caller.number.startswith("+"):
            return NameAddr(Uri("sip", national(caller.number), domain))
        deployment = self.platform.deployment
        if self._wrong("from-other-number"):
            return caller.showing(unassigned_number(deployment)).from_(domain)
        form = deployment.number_format_at(None, trunk)
        return caller.written(form, self.platform.region).from_(domain)

    def _shown_to_ai(self) -> Caller:
        """The number that the AI is shown, also one that another assistant hands over to."""
        return self.agent_caller() if self._transferred else self.caller

    def agent_caller(self) -> Caller:
        """The number that an agent is shown."""
        lost = "caller-id-lost-on-transfer" if self._transferred else "caller-id-lost-on-fallback"
        if self._wrong(lost):
            return self.caller.showing(self.platform.number_shown(self))
        return self.caller

    async def ring_group(
        self,
        name: str | None,
        toward: WireLeg,
        headers: Headers,
        on_ringing: Callable[[int, str], None] | None = None,
    ) -> WireLeg:
        """Ring the agents of a group for ``toward``, as the group does. Raises `LegRefusedError`."""
        if name is None:
            raise LegRefusedError(480, "The number leads to no group")
        platform = self.platform
        groups = platform.deployment.groups
        entry = groups[name]
        if entry.hours and not self._takes_as_open(platform.deployment.is_within(entry)):
            if entry.closed is None:
                return await self._announce(CLOSED, toward)
            name = entry.closed
        group = platform.ringing(name)
        plays = sound.ringback
        if group.queue_s:
            self._answered(toward)
            plays = sound.music
        try:
            return await self._ring_agents(name, toward, headers, on_ringing, plays)
        except LegRefusedError:
            # A machine of the group's own comes before another group.
            overflow = groups[name].overflow
            if group.voicemail:
                machine = VOICEMAIL
            elif group.announcement:
                machine = CLOSED
            elif overflow is not None:
                return await self._ring_agents(overflow, toward, headers, on_ringing)
            else:
                raise
        return await self._announce(machine, toward)

    async def _announce(self, announcement: str, toward: WireLeg) -> WireLeg:
        target = self.platform.announcement(announcement, self)
        return await self.ring(target, toward, _RING_SECONDS)

    async def _ring_agents(
        self,
        name: str,
        toward: WireLeg,
        headers: Headers,
        on_ringing: Callable[[int, str], None] | None,
        plays: Callable[[str], sound.Frames] = sound.ringback,
    ) -> WireLeg:
        platform = self.platform
        group = RingGroup(self, platform.ringing(name), toward, platform.ticker, on_ringing)
        ringing = group.ring(lambda: platform.agents(name, self, toward, headers))
        return await self._with_ringback(toward, ringing, plays)

    # --- media -------------------------------------------------------------------------------------

    def new_media(self, peer: str) -> LegMedia:
        is_private = peer == AI and self._wrong("sdp-private-address")
        return self.platform.anchored(_PRIVATE_ADDRESS if is_private else None)

    def offer(self, media: LegSdp, toward: WireLeg, peer: str) -> bytes:
        """The other leg's offer; once a codec was agreed with it, only that one, as nothing is
        transcoded.
        """
        assert isinstance(media, LegMedia)
        caller = toward.anchored
        faulty = faulty_offer(self._wrong, media, caller) if peer == AI else None
        if faulty is not None:
            return faulty
        if caller.remote is None:
            return media.offer()
        agreed = caller.codec
        if agreed is None:  # the caller waits for its answer, and gets what the new leg chooses
            return media.pass_on(caller.remote)
        return media.pass_on(caller.remote, lambda codec: codec.is_same(agreed) or is_event(codec))

    def answer(self, toward: WireLeg, leg: WireLeg) -> bytes:
        """The new leg's answer, unless the caller's side is to have another G.711 law."""
        media = toward.anchored
        if media.local is None and media.remote is not None and self._wrong("g711-one-side"):
            return media.answer(bytes(media.remote))
        return super().answer(toward, leg)

    def impairments_between(
        self, a: WireLeg, b: WireLeg
    ) -> tuple[Impairment | None, Impairment | None]:
        """The impairments that the faults of this line cause, and the network's own delay."""
        forward, back = self._faults_between(a, b) if self.platform.faults else (None, None)
        noise = self.platform.settings.noise
        delay_s = noise.rtp_delay_s
        jitter_s = noise.rtp_jitter_s
        if not delay_s and not jitter_s:
            return forward, back
        return (
            impairments.delayed(delay_s, jitter_s, forward),
            impairments.delayed(delay_s, jitter_s, back),
        )

    def _faults_between(
        self, a: WireLeg, b: WireLeg
    ) -> tuple[Impairment | None, Impairment | None]:
        """The impairments of media with the AI, of a transfer, or between a caller and people."""
        if b.peer == AI:
            return impairments_with_ai(self._wrong, self._ai_said)
        if a.peer == AI:
            to_ai, to_caller = impairments_with_ai(self._wrong, self._ai_said)
            return to_caller, to_ai
        if self._transferred and self._wrong("transfer-no-audio"):
            return impairments.blocked, impairments.blocked
        if self._wrong("agent-audio-stops"):
            return impairments.blocked_after(_SOON_S), impairments.blocked_after(_SOON_S)
        return impairments.impairments_with_people(self._wrong, self._ai_said)

    def passes_on(self, leg: WireLeg, end: End) -> bool:
        """Whether the end of ``leg`` ends the others."""
        ringing = [each for each in self if each not in self.legs and not each.is_up]
        if self._transferred and ringing and self._wrong("agent-rings-on"):
            for each in self:
                if each not in ringing:
                    each.call.hangup()
            self.audit.spawn(self._release_in_the_end(), f"{self.name} kept")
            return False
        # The faults are about a BYE: a leg that failed or was hung up here ends the others.
        if end.by != "remote" or end.how is not How.BYE:
            return True
        faults = {AI: "ai-hangup-not-passed-on", "caller": "caller-hangup-not-passed-on"}
        fault = faults.get(leg.peer, "agent-hangup-not-passed-on")
        if not self._wrong(fault):
            return True
        self.audit.spawn(self._release_in_the_end(), f"{self.name} kept")
        return False

    async def _release_in_the_end(self) -> None:
        await asyncio.sleep(_KEPT_SECONDS)
        for leg in self:
            leg.call.hangup()

    # --- what the legs ask for ---------------------------------------------------------------------

    async def on_info(self, leg: WireLeg, request: InDialogRequest) -> None:
        """Hand digits to the menu, otherwise to the other leg."""
        if self._digits is None:
            await super().on_info(leg, request)
        elif digit := take_info(request):
            self._digits.put_nowait(digit.digit)

    async def on_refer(self, leg: WireLeg, request: InDialogRequest, target: NameAddr) -> None:
        """Carry out a transfer, or pass it on where the line says so."""
        # A transfer needs a caller to connect, and RFC 3891 (Replaces) is not offered.
        if self._wrong("trunk-inactive"):
            request.respond(503, "Trunk inactive")
        elif self._wrong("refer-rejected"):
            request.respond(403, "Transfers are not allowed")
        elif self._wrong("refer-never-notified"):
            request.respond(202)
        elif self._wrong("refer-accepted-then-failed"):
            await request.accept_refer().notify(486)
        elif self.other(leg) is None:
            request.respond(480)
        elif target.uri.header("Replaces") is not None:
            request.respond(501, "Attended transfers are not offered")
        elif leg.peer == AI and self._passes_refers_on():
            self._transferred = True
            await self.pass_refer_on(leg, request, target)
        else:
            await self._transfer(leg, request, target.uri)

    def _passes_refers_on(self) -> bool:
        declared = self.line is not None and self.platform.lines[self.line].refer == "passed-on"
        return declared != self._wrong("refer-other-way")

    async def _transfer(self, leg: WireLeg, request: InDialogRequest, target: Uri) -> None:
        """Call the target for the other leg; the referrer is told how it goes, and released once
        the target has answered (RFC 3515, RFC 5589 section 6.1).
        """
        other = self.other(leg)
        assert other is not None
        notifier = request.accept_refer()
        # Headers in the URI go into the new INVITE (RFC 3261 section 19.1.1); only X- ones are let in.
        headers = [pair for pair in target.headers if pair[0].lower().startswith("x-")]
        self.leaving.add(leg)  # from now on a BYE of the referrer does not end the call
        self._transferred = True

        def ringing(status: int, reason: str) -> None:
            if status == 180:
                self.audit.spawn(notifier.notify(180), f"{self.name} NOTIFY")

        try:
            new = await self._reach(target, other, headers, ringing)
        except LegRefusedError as error:
            self._transferred = False
            await notifier.notify(error.status, error.reason)
            if leg in self.legs:
                self.leaving.discard(leg)  # the caller is back with the referrer
            else:
                other.call.hangup()
            return
        if other.call.state == "ended":  # the caller hung up as the target answered
            new.call.hangup()
            await notifier.notify(487)
            return
        self.connect(new, other)
        await notifier.notify(200)
        if not self._wrong("ai-leg-left-behind") and leg.is_up:
            leg.call.hangup()

    async def _reach(
        self, target: Uri, toward: WireLeg, headers: Headers, on_ringing: Callable[[int, str], None]
    ) -> WireLeg:
        """The answered leg of a transfer's target: a group, another line's assistant, or a number
        of the public network. Raises `LegRefusedError`.
        """
        platform = self.platform
        number = number_of(target, platform.region)
        route = platform.routes.from_ai(target)
        if isinstance(route, GroupRoute):
            group = platform.group_for(route.name, headers, self.line)
            return await self.ring_group(group, toward, headers, on_ringing)
        if isinstance(route, LineRoute):
            assistant = self._ai(platform.terminations[route.trunk], route, headers)
            return await self.ring(assistant, toward, _RING_SECONDS, on_ringing)
        if number and route is None and platform.is_outside(number):
            outside = platform.outside(number, self.caller, headers)
            return await self.ring(outside, toward, _RING_SECONDS, on_ringing)
        raise LegRefusedError(404)

    def _wrong(self, fault: str) -> bool:
        return self.platform.faults.on(fault, self.line)


def take_platform_calls(platform: Platform) -> None:
    """Have ``platform`` take the calls that it is sent."""
    platform.ua.on_invite = partial(_from_outside, platform)
    for termination in platform.terminations.values():
        termination.ua.on_invite = partial(_from_trunk, platform, termination)


async def _from_outside(platform: Platform, call: IncomingCall) -> None:
    """A call of the carrier; others find no entrance here, as on an SBC with an access list."""
    if call.source[0] != platform.carrier.address:
        call.reject(403, "Address not allowed")
        return
    made = PlatformCall(platform, call, f"{platform.name} {call.call_id}")
    made.start(WireLeg(call, platform.anchored(), "caller"))


async def _from_trunk(platform: Platform, termination: Termination, call: IncomingCall) -> None:
    if termination.admit_call(call, platform.line_behind(termination)):
        name = f"{platform.name} {termination.trunk.name} {call.call_id}"
        made = PlatformCall(platform, call, name, termination)
        made.start(WireLeg(call, platform.anchored(), AI))
