"""What every contact-centre platform of this world has; `talkdesk` and `gladly` say what is their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from harness.deployment import Deployment, Timings
from harness.simulation.b2bua import Headers, Leg, Target
from harness.simulation.books import Books
from harness.simulation.faults import Faults
from harness.simulation.identity import Caller
from harness.simulation.media.leg import LegMedia
from harness.simulation.media.ticker import Ticker
from harness.simulation.platform.call import AI, PlatformCall
from harness.simulation.platform.routes import LineRoute, Routes
from harness.simulation.platform.trunk import Gate
from harness.simulation.registrar import Registrar
from harness.simulation.wire.agent import UserAgent
from harness.simulation.wire.incoming import IncomingCall
from harness.simulation.wire.transport import Hop, TransportName
from harness.sip.uri import Uri


class Platform:
    """The SBC and what stands behind it."""

    #: Over what its SBC talks to the carrier and to agents' phones, the preferred one first.
    transports: ClassVar[tuple[TransportName, ...]]

    def __init__(
        self,
        deployment: Deployment,
        timings: Timings,
        faults: Faults,
        books: Books,
        ticker: Ticker,
        ua: UserAgent,
        gates: Mapping[str, Gate],
        agent_passwords: Mapping[str, str],
        media_address: str,
        nobody: str,
    ) -> None:
        self.name: Final = deployment.integration
        self.deployment = deployment
        self.domain = deployment.platform.domain
        self.region = deployment.region
        self.lines = deployment.lines
        self.ring_timeout = timings.ring_timeout_s
        self.faults = faults
        self.books = books
        self.ticker = ticker
        self.ua = ua
        self.gates = gates
        self.media_address = media_address
        self.nobody = nobody  #: an address where nobody is
        self.routes = Routes(deployment, faults)
        self.registrar = Registrar(self.domain, agent_passwords)
        self.calls: set[PlatformCall] = set()
        self.carrier: Hop | None = None
        self._subscribers: frozenset[str] = frozenset()
        ua.on_invite = self._from_outside
        ua.on("REGISTER", self.registrar.handle)
        for gate in gates.values():
            gate.ua.on_invite = lambda call, gate=gate: self._from_trunk(call, gate)

    def connect_carrier(self, hop: Hop, subscribers: frozenset[str]) -> None:
        """Where calls to ``subscribers`` leave for the public network, and come from."""
        self.carrier = hop
        self._subscribers = subscribers

    # --- calls that come in ------------------------------------------------------------------------

    async def _from_outside(self, call: IncomingCall) -> None:
        if self.carrier is None or call.source[0] != self.carrier.address:
            call.reject(403, "Address not allowed")
            return
        self._take(PlatformCall(self, call, f"{self.name} {call.call_id}"), call, "caller")

    async def _from_trunk(self, call: IncomingCall, gate: Gate) -> None:
        if gate.admit_call(call):
            self._take(PlatformCall(self, call, f"{self.name} {gate.trunk.name} {call.call_id}", gate), call, AI)

    def _take(self, made: PlatformCall, call: IncomingCall, peer: str) -> None:
        made.start(Leg(call, made.anchored(), peer))

    # --- where calls go ----------------------------------------------------------------------------

    def is_outside(self, number: str) -> bool:
        """Whether the number is reached over the public network."""
        return number in self._subscribers

    def outside(self, number: str, caller: Caller, headers: Headers) -> Target:
        """A number of the public network."""
        assert self.carrier is not None
        uri = Uri("sip", number, self.carrier.address, self.carrier.port)
        if self.carrier.transport != "udp":
            uri = uri.with_param("transport", self.carrier.transport)
        return Target(
            peer=number,
            ua=self.ua,
            uri=uri,
            hop=self.carrier,
            from_=caller.from_(self.domain),
            headers=[*headers, *caller.asserted(self.domain)],
            side=lambda: LegMedia(self.media_address),
        )

    def agents(self, group: str, call: PlatformCall, toward: Leg, headers: Headers) -> list[Target]:
        """The phones of a group's agents, as far as they are logged in."""
        users = [self.deployment.phones[phone].aor_user for phone in self.deployment.groups[group].agents]
        return [
            Target(
                peer=f"agent {user}",
                ua=self.ua,
                uri=binding.contact,
                hop=binding.hop,
                flow=binding.flow,
                from_=call.agent_caller().from_(self.domain),
                headers=[*headers, *self.headers_to_agent(call, toward)],
                side=call.anchored,
            )
            for user in users
            for binding in self.registrar.bindings(user)
        ]

    def group_for(self, name: str, headers: Headers, line: str | None) -> str:
        """The group that a transfer to group ``name`` reaches."""
        return self.routes.group_behind(name, line)

    def headers_to_ai(self, call: PlatformCall, route: LineRoute) -> Headers:
        """The platform's own headers on the INVITE to the AI."""
        return []

    def headers_to_agent(self, call: PlatformCall, toward: Leg) -> Headers:
        """The platform's own headers on the INVITE to an agent."""
        return []

    # --- what the calls ask ------------------------------------------------------------------------

    def line_behind(self, gate: Gate) -> str | None:
        """The line whose call the AI is transferring, when it can only be one."""
        lines = {call.line for call in gate.in_use if isinstance(call, PlatformCall)}
        return lines.pop() if len(lines) == 1 else None

    def number_of_line(self, line: str | None) -> str:
        """A line's own number."""
        return self.lines[line].did if line else next(iter(self.lines.values())).did

    @property
    def other_number(self) -> str:
        """A number that is nobody's in any call."""
        return self.deployment.numbers.no_such_number or "+12015550199"
