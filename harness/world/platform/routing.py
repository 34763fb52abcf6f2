"""The dial plan of a platform and its SIP trunks, with the faults of their set-up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.deployment import PLAIN_PORT, TLS_PORT, Deployment, Line, Trunk
from harness.sip.digest import Credentials, DigestServer
from harness.sip.message import HeaderPairs
from harness.sip.uri import Uri
from harness.world.b2bua import number_of, unassigned_number
from harness.world.faults import BAD_CERTIFICATES, Faults
from harness.world.registrar import Registrar, refuse
from harness.world.settings import TenantContext
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import IncomingRequest
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transport import Endpoint

if TYPE_CHECKING:
    from harness.world.platform.call import PlatformCall


@dataclass(frozen=True, slots=True)
class LineRoute:
    """A number whose calls go to the AI over a trunk."""

    name: str
    line: Line
    trunk: str
    did: str


@dataclass(frozen=True, slots=True)
class GroupRoute:
    """A number whose calls go to a ring group: the group's own, or that of a ``line`` for people
    only.
    """

    name: str
    line: str | None = None


Route = LineRoute | GroupRoute


def line_of(route: Route) -> str | None:
    """The line that leads there; None for a group's own number."""
    return route.line if isinstance(route, GroupRoute) else route.name


class Routes:
    """The dial plan of one platform.

    Several lines may share a number: the first of them is found by the number alone, the others by
    the menu's digit that leads to them. Numbers of lines win over those of groups. What a fault
    puts wrong is decided here for each call, since faults come and go while calls are up.
    """

    def __init__(self, deployment: Deployment, faults: Faults) -> None:
        self._deployment = deployment
        self._faults = faults
        self._by_number: dict[str, Route] = {}
        #: Number → digits that the caller presses → where they lead.
        self._menus = defaultdict[str, dict[str, Route]](dict)
        for name, trunk, number in deployment.all_dids():
            line = deployment.lines[name]
            route: Route = LineRoute(name, line, trunk, number)
            if line.group:
                route = GroupRoute(line.group, name)
            self._by_number.setdefault(number, route)
            if line.press:
                self._menus[number][line.press] = route
        for name, group in deployment.groups.items():
            if group.did:  # a line for people only may have its group's own number
                self._by_number.setdefault(group.did, GroupRoute(name))
        self._by_user = {
            group.user: GroupRoute(name) for name, group in deployment.groups.items() if group.user
        }

    def find(self, number: str) -> Route | None:
        """Where calls to the number lead; the first choice where it has a menu."""
        return self._by_number.get(number)

    def menu(self, number: str) -> Mapping[str, Route]:
        """The choices of a number's menu by the digits that lead there; empty without a menu."""
        return self._menus.get(number, {})

    def called(self, uri: Uri) -> str | None:
        """The user of a line that a caller's address names, else its number in E.164. A number may
        be written in national form, or with its international prefix.
        """
        return uri.user if uri.user in self._by_number else number_of(uri, self._deployment.region)

    def line_of(self, number: str | None) -> str | None:
        """The line that the number belongs to."""
        route = self.find(number or "")
        return line_of(route) if route is not None else None

    def from_ai(self, target: Uri) -> Route | None:
        """The destination of an address that the AI names, which may be internal, as an extension."""
        internal = self._by_user.get(target.user or "")
        if internal is not None:
            return internal
        number = number_of(target, self._deployment.region)
        return self.find(number) if number else None

    def assistant_called(self, route: LineRoute) -> str:
        """The number or user that the line's routing names: the assistant's; with the fault,
        another's or an unassigned number.
        """
        assistants = self._deployment.assistants
        assert route.line.ai is not None, "people's numbers have a GroupRoute"
        right = assistants[route.line.ai]
        if not self._faults.on("route-wrong-did", route.name):
            return right.address
        for assistant in assistants.values():
            if assistant is not right and assistant.behaviour == "talks":
                return assistant.address
        return unassigned_number(self._deployment)

    def trunk(self, route: LineRoute) -> Trunk | None:
        """The trunk the line's routing names; None for one that does not exist."""
        right = self._deployment.trunk(route.trunk)
        if not self._faults.on("route-wrong-trunk", route.name):
            return right
        others = [trunk for trunk in self._deployment.trunks if trunk.name != right.name]
        # Preferably a trunk that leads to the same AI in another way.
        same_ai = [trunk for trunk in others if trunk.ai == right.ai]
        return next(iter(same_ai or others), None)

    def fallback(self, line: str) -> str | None:
        """The group that takes over when the AI cannot be reached, or no agent takes a call to
        people.
        """
        right = self._deployment.lines[line].fallback
        if right is None or self._faults.on("fallback-missing", line):
            return None
        if self._faults.on("fallback-wrong-group", line):
            return self._another(right)
        return right

    def overflow(self, line: str, number: str) -> LineRoute | None:
        """Where a call to people goes that no agent takes, if to the AI."""
        # The fault that takes a line's fallback away takes its overflow away, too.
        entry = self._deployment.lines[line]
        if entry.overflow is None or self._faults.on("fallback-missing", line):
            return None
        numbers = self._deployment.numbers_of_line(line)
        trunk = next(trunk for trunk, own in numbers.items() if own == number)
        return LineRoute(line, entry, trunk, number)

    def own_agents(self, route: LineRoute) -> str | None:
        """The group that answers itself where no SIP transfer is configured."""
        if route.line.fallback:
            return route.line.fallback
        with_agents = (name for name, group in self._deployment.groups.items() if group.agents)
        return next(with_agents, None)

    def ring_timeout(self, route: LineRoute, configured: float) -> float:
        """Seconds the AI may ring."""
        if self._faults.on("ring-timeout-wrong", route.name):
            return 2.5 * configured
        return configured

    def group_behind(self, name: str, line: str | None) -> str | None:
        """The group that a transfer to group ``name`` reaches; None for none."""
        if self._faults.on("group-wrong", line):
            return self._another(name)
        return name

    def topic(self, topic: str) -> str | None:
        return next(iter(self._deployment.groups_of_topic(topic)), None)

    def _another(self, name: str) -> str | None:
        """A group that has other agents than this one, and is open; None if there is none."""
        own = set(self._deployment.groups[name].agents)
        overlapping: list[str] = []
        for other, group in self._deployment.groups.items():
            agents = set(group.agents)
            if other == name or not agents - own or not self._deployment.is_within(group):
                continue
            if not agents & own:
                return other  # preferred: no agent is in both
            overlapping.append(other)
        return next(iter(overlapping), None)


Answer = Callable[[int, str | None, HeaderPairs], None]


class Termination:
    """The trunk's own address at the platform, by which it is known: the Termination URI of the
    AI's side.

    Calls to the AI leave from here (`next_hop`), the AI's own calls and registrations arrive here
    (`admit_call`). Its address is checked first, then, on a trunk with digest, the credentials.
    ``clear`` is an agent beside ``ua`` for calls that leave in the clear, where the trunk has TLS.
    """

    def __init__(
        self, context: TenantContext, trunk: Trunk, ua: UserAgent, clear: UserAgent | None
    ) -> None:
        self.trunk = trunk
        self.ua = ua
        self._clear = clear
        self._faults = context.faults
        self._lines = [
            line for line, name, _ in context.deployment.all_dids() if name == trunk.name
        ]
        realm = context.deployment.platform.domain
        self.credentials: Credentials | None = None
        passwords: dict[str, str] = {}
        if trunk.username:
            password = trunk.password.get_secret_value() if trunk.password else ""
            self.credentials = Credentials(trunk.username, password)
            passwords[trunk.username] = password
        self.registrar = Registrar(realm, passwords, self._granted, explains=True)
        self._guard = DigestServer(realm, passwords.get, proxy=True)
        #: Calls to the AI that are up or being set up: what counts against the trunk's maximum.
        self.in_use: set[PlatformCall] = set()
        ua.on("REGISTER", self._register)
        if clear is not None:
            clear.on_invite = _refuse_clear

    def is_full(self, line: str) -> bool:
        """Whether one more call of that line is too many."""
        # Both faults act only on the call that the right limit would treat otherwise.
        free = self.trunk.max_concurrent_calls - len(self.in_use)
        if free <= 0:
            return not self._faults.on("trunk-limit-not-enforced", line)
        return free == 1 and self._faults.on("trunk-limit-lower", line)

    def next_hop(
        self, line: str, *, other_host: str | None, in_the_clear: bool
    ) -> tuple[UserAgent, Endpoint]:
        """Who sends calls to the AI, and where to. ``other_host`` is an address instead of the
        AI's.
        """
        trunk = self.trunk
        host = other_host or trunk.host or ""
        if in_the_clear and self._clear is not None:
            # A SIP address without a transport parameter, and without a port to look up, means UDP
            # (RFC 3263 section 4.1).
            return self._clear, Endpoint("udp", host, PLAIN_PORT)
        port = trunk.port
        if trunk.transport == "tls" and trunk.ai == "synthflow":
            for fault in BAD_CERTIFICATES:  # it acts when the platform looks at the certificate
                self._faults.on(fault)
        if self._faults.on("trunk-transport-mismatch", line):
            port = TLS_PORT if port == PLAIN_PORT else PLAIN_PORT
        return self.ua, Endpoint(trunk.transport, host, port)

    def admit_call(self, call: IncomingCall, line: str | None) -> bool:
        """Whether an INVITE over the trunk, for a call of that line, is accepted; otherwise it has
        been answered.
        """
        if not self._admit(call.source[0], call.reject, line):
            return False
        # With the fault, a trunk that was set up for its address alone asks for credentials, too.
        if self.trunk.authentication == "digest" or self._faults.on("trunk-wants-digest", line):
            checked = self._guard.verify(call.request)
            if not checked.accepted:
                refuse(call.reject, self._guard, checked, explains=True)
                return False
        return True

    async def _register(self, incoming: IncomingRequest) -> None:
        # a registration belongs to no line: an inactive line's trunk registers no user
        if not self._admit(incoming.source[0], incoming.respond, *self._lines):
            return
        if self.credentials is None:
            incoming.respond(403, "This trunk authenticates by address")
            return
        await self.registrar.handle(incoming)

    def _admit(self, source: str, answer: Answer, *lines: str | None) -> bool:
        """Whether a request over the trunk may pass, by its address; otherwise it has been
        answered.
        """
        is_listed = source in self.trunk.allowed_addresses
        if not is_listed or self._faults.on("synthflow-ip-not-allowed"):
            answer(403, "Address not allowed", ())
            return False
        if any(self._faults.on("trunk-inactive", line) for line in (None, *lines)):
            answer(503, "Trunk inactive", ())
            return False
        return True

    def _granted(self, asked: int) -> int:
        if self._faults.on("registration-expires-early"):
            return max(1, asked // 5)
        return asked


async def _refuse_clear(call: IncomingCall) -> None:
    call.reject(403, "TLS required")
