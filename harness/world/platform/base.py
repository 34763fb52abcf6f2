"""What every simulated contact-centre platform has, and what the vendors add: Talkdesk
(https://docs.synthflow.ai/sip-with-talkdesk), Gladly (https://docs.synthflow.ai/sip-with-gladly),
and any other SBC, by RFC 3261 alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from harness.deployment import PhoneEntry
from harness.sip.identity import dialled_at_home
from harness.world.addresses import Host
from harness.world.b2bua import Caller, Headers, LegTarget, WireLeg, unassigned_number
from harness.world.media.leg import LegMedia
from harness.world.platform.answering import SOMEBODY
from harness.world.platform.routing import LineRoute, Routes, Termination
from harness.world.registrar import Binding, Registrar
from harness.world.settings import ExternalSettings, GroupSettings, Settings, TenantContext
from harness.world.wire.agent import UserAgent
from harness.world.wire.transport import TRANSPORTS, Endpoint, TransportName

if TYPE_CHECKING:
    from harness.world.platform.call import PlatformCall

#: A real report covers days, a world lives for minutes.
_LANDINGS_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class Landed:
    """A group that a call rang, as a platform's report of its calls would list it."""

    at: float  #: epoch seconds
    call: str
    line: str | None
    group: str
    caller: str


class Platform:
    """The SBC and the contact centre behind it; each of its calls is a `PlatformCall`.

    It knows where numbers lead (`routes`), who is logged in (`registrar`) and whom a call may be
    sent to: `outside`, `announcement` and `agents` return targets for `BackToBack.ring`. A vendor's
    class adds its transports and its headers, and for Gladly how a transfer finds its group.
    """

    #: Transports of its SBC towards the carrier and agents' phones, the preferred one first.
    transports: ClassVar[tuple[TransportName, ...]]
    # The tenant sets these before the platform takes calls:
    carrier: Endpoint  #: where calls to ``subscribers`` leave for the public network, and come from
    subscribers: frozenset[str]
    announcements: UserAgent  #: plays announcements …
    to_announcements: UserAgent  #: … and is called from here

    def __init__(
        self,
        context: TenantContext,
        ua: UserAgent,
        terminations: Mapping[str, Termination],
        agent_passwords: Mapping[str, str],
    ) -> None:
        self.context = context
        self.deployment = deployment = context.deployment
        self.faults = context.faults
        self.audit = context.audit
        self.ticker = context.ticker
        self.name: Final = deployment.integration
        self.domain = deployment.platform.domain
        self.region = deployment.region
        self.lines = deployment.lines
        self.ua = ua
        self.terminations = terminations
        self.routes = Routes(deployment, self.faults)
        self.registrar = Registrar(self.domain, agent_passwords)
        self.calls: set[PlatformCall] = set()
        #: For the platform's report of its calls, the newest last.
        self.landings: deque[Landed] = deque(maxlen=_LANDINGS_KEPT)
        ua.on("REGISTER", self.registrar.handle)

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self.context.settings

    def anchored(self, shown: str | None = None) -> LegMedia:
        return LegMedia(self.context.block[Host.PLATFORM_MEDIA], shown, self.settings.rtcp)

    # --- where calls go ----------------------------------------------------------------------------

    def is_outside(self, number: str) -> bool:
        """Whether the number is reached over the public network."""
        return number in self.subscribers

    def outside(
        self,
        number: str,
        caller: Caller,
        headers: Headers,
        external: ExternalSettings | None = None,
    ) -> LegTarget:
        """Where a number of the public network is reached; ``external`` says how an agent's is
        called.
        """
        external = external or ExternalSettings()
        dialled = dialled_at_home(number) if external.national else number
        accept = None
        if external.accept:
            accept = (external.accept, external.accept_within_s)
        return LegTarget(
            peer=number,
            ua=self.ua,
            uri=self.carrier.uri(dialled),
            hop=self.carrier,
            from_=caller.from_(self.domain),
            headers=[*headers, *caller.asserted(self.domain)],
            accept=accept,
        )

    def announcement(self, user: str, call: PlatformCall) -> LegTarget:
        """Where an announcement of the platform is reached."""
        hop = self.announcements.local("udp")
        return LegTarget(
            peer=user,
            ua=self.to_announcements,
            uri=hop.uri(user),
            hop=hop,
            from_=call.caller.from_(self.domain),
        )

    def ringing(self, group: str) -> GroupSettings:
        return self.settings.group(group, self.deployment.groups[group])

    def agents(
        self, group: str, call: PlatformCall, toward: WireLeg, headers: Headers
    ) -> list[LegTarget]:
        """Where a group's agents are reached: phones of those who are logged in, and numbers of the
        public network.
        """
        if self.faults.on("group-answered-by-others", call.line):
            return [self.announcement(SOMEBODY, call)]
        declared = self.deployment.groups[group]
        caller = call.agent_caller()
        self._note_landing(call, group, caller)
        settings = self.ringing(group)
        if settings.others_answer or (not declared.agents and not declared.empty):
            return [self.announcement(SOMEBODY, call)]  # people who have no phone of the harness
        found: list[LegTarget] = []
        for name in declared.agents:
            phone = self.deployment.phones[name]
            if name in settings.away:
                continue
            if found and self.faults.on("caller-id-lost-at-second-agent", call.line):
                caller = caller.showing(self.number_shown(call))
            if phone.number is not None:
                external = settings.external or _external_of(phone)
                shown = caller
                if external.shows == "platform":
                    shown = caller.showing(self.number_shown(call))
                found.append(self.outside(phone.number, shown, headers, external))
            else:
                # An agent without a binding is not logged in; one at two phones has two bindings.
                written = caller.written(self.deployment.number_format_at(group), self.region)
                passed_on = [*headers, *self.headers_to_agent(call, toward)]
                for binding in self.registrar.bindings(phone.aor_user):
                    found.append(self._agent_at(binding, phone.aor_user, written, passed_on))
        return found

    def _note_landing(self, call: PlatformCall, group: str, caller: Caller) -> None:
        """Note that the call rings the group; a queue that rings it again is the same landing."""
        if any(known.call == call.name and known.group == group for known in self.landings):
            return
        self.landings.append(Landed(time.time(), call.name, call.line, group, caller.number))

    def _agent_at(self, binding: Binding, user: str, caller: Caller, headers: Headers) -> LegTarget:
        return LegTarget(
            peer=f"agent {user}",
            ua=self.ua,
            uri=binding.contact,
            hop=binding.hop,
            flow=binding.flow,
            from_=caller.from_(self.domain),
            headers=headers,
        )

    def group_for(self, name: str, headers: Headers, line: str | None) -> str | None:
        """The group that a transfer to group ``name`` reaches; None if there is none."""
        return self.routes.group_behind(name, line)

    def headers_to_ai(self, call: PlatformCall, route: LineRoute) -> Headers:
        """The platform's own headers on the INVITE to the AI."""
        return []

    def headers_to_agent(self, call: PlatformCall, toward: WireLeg) -> Headers:
        """The platform's own headers on the INVITE to an agent."""
        return []

    def takes(self, dialled: str, number: str) -> bool:
        """Whether the carrier knows the number in the form that was dialled."""
        if dialled.startswith("+"):
            return True
        return not self.faults.on("national-form-refused", self.routes.line_of(number))

    def line_of_call(self, call_id: str) -> str | None:
        """The line whose call has a leg with that Call-ID."""
        for call in self.calls:
            if any(leg.call.call_id == call_id for leg in call):
                return call.line
        return None

    # --- what the calls ask ------------------------------------------------------------------------

    def line_behind(self, termination: Termination) -> str | None:
        """The line of the call that the AI is transferring; None if calls of several lines use the
        trunk.
        """
        lines = {call.line for call in termination.in_use}
        return lines.pop() if len(lines) == 1 else None

    def number_shown(self, call: PlatformCall) -> str:
        """The platform's number to show as caller: the number that was called, else the line's
        first number.
        """
        numbers = self.deployment.numbers_of_line(call.line or next(iter(self.lines)))
        return call.called or next(iter(numbers.values()))


def _external_of(phone: PhoneEntry) -> ExternalSettings:
    """How the phone of an agent who is a telephone number is called, as the deployment says."""
    # A platform that may show any number shows one of its own.
    shows: Literal["original", "platform"] = "platform"
    if phone.shows == "original":
        shows = "original"
    return ExternalSettings(shows=shows, accept=phone.accept)


class GenericSbc(Platform):
    """A B2BUA that adds nothing of its own."""

    transports: ClassVar[tuple[TransportName, ...]] = TRANSPORTS


class Talkdesk(Platform):
    """Each leg has another Call-ID; a header names the other leg's."""

    transports: ClassVar[tuple[TransportName, ...]] = TRANSPORTS

    def headers_to_ai(self, call: PlatformCall, route: LineRoute) -> Headers:
        return [("X-Talkdesk-Other-Leg-Call-Id", call.legs[0].call.call_id)]

    def headers_to_agent(self, call: PlatformCall, toward: WireLeg) -> Headers:
        return [("X-Talkdesk-Other-Leg-Call-Id", toward.call.call_id)]


CALLER_ID: Final = "X-Gladly-Caller-Id"
SELECTOR: Final = "X-Gladly-Routing-Selector"


class Gladly(Platform):
    """Takes SIP over TLS only; forwards calls with the caller's number and a topic in headers of
    its own.

    Its headers say who called, and about which topic. A transfer names its group by topic, too.
    """

    transports: ClassVar[tuple[TransportName, ...]] = ("tls",)

    def headers_to_ai(self, call: PlatformCall, route: LineRoute) -> Headers:
        return [*self._caller_id(call, route.name), *self._selector(route)]

    def _caller_id(self, call: PlatformCall, line: str) -> Headers:
        number = call.caller.number
        if self.faults.on("caller-header-missing", line):
            return []
        if self.faults.on("caller-header-without-plus", line):
            number = number.lstrip("+")
        if self.faults.on("caller-header-wrong", line):
            number = unassigned_number(self.deployment)
        return [(CALLER_ID, number)]

    def _selector(self, route: LineRoute) -> Headers:
        selector = route.line.selector
        if selector is None or self.faults.on("selector-missing", route.name):
            return []
        if self.faults.on("selector-wrong", route.name):
            selector = self._other_topic(selector)
        return [(SELECTOR, selector)]

    def _other_topic(self, selector: str) -> str:
        for group in self.deployment.groups.values():
            for topic in group.topic:
                if topic != selector:
                    return topic
        return "nobodys-topic"

    def group_for(self, name: str, headers: Headers, line: str | None) -> str | None:
        """A topic given with the transfer wins over the number that was called."""
        topics = [value for key, value in headers if key.lower() == SELECTOR.lower()]
        if topics and topics[0]:
            name = self.routes.topic(topics[0]) or name
        return super().group_for(name, headers, line)
