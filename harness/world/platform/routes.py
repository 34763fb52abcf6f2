"""The dial plan of a platform, with the faults of its set-up."""

from __future__ import annotations

from dataclasses import dataclass

from harness.deployment import Deployment, Line, Trunk
from harness.sip.uri import Uri
from harness.world.faults import Fault, Faults
from harness.world.identity import number_of, unassigned_number


@dataclass(frozen=True, slots=True)
class LineRoute:
    """A number whose calls go to the AI over a trunk."""

    name: str
    line: Line
    trunk: str
    did: str


@dataclass(frozen=True, slots=True)
class GroupRoute:
    """A number whose calls go to a ring group: the group's own, or that of a ``line`` for people only."""

    name: str
    line: str | None = None


class Routes:
    """The dial plan of one platform."""

    def __init__(self, deployment: Deployment, faults: Faults) -> None:
        self._deployment = deployment
        self._faults = faults
        self._by_number: dict[str, LineRoute | GroupRoute] = {
            group.did: GroupRoute(name) for name, group in deployment.groups.items() if group.did
        }
        self._by_number |= {  # a line for people only may have its group's own number
            number: GroupRoute(group, name) if group else LineRoute(name, deployment.lines[name], trunk, number)
            for name, trunk, number in deployment.all_dids()
            for group in (deployment.lines[name].group,)
        }
        self._by_user = {group.user: GroupRoute(name) for name, group in deployment.groups.items() if group.user}

    def has(self, number: str) -> bool:
        """Whether the number is one of the platform's."""
        return number in self._by_number

    def find(self, number: str) -> LineRoute | GroupRoute | None:
        return self._by_number.get(number)

    def from_ai(self, target: Uri) -> LineRoute | GroupRoute | None:
        """The destination of an address that the AI names, which may be internal, as an extension."""
        number = number_of(target, self._deployment.region)
        return self._by_user.get(target.user or "") or (self.find(number) if number else None)

    def assistant_did(self, route: LineRoute) -> str:
        """The DID that the line's routing names: the assistant's; with the fault, another assistant's or an unassigned number."""
        assistants = self._deployment.assistants
        assert route.line.assistant is not None, "people's numbers have a GroupRoute"
        right = assistants[route.line.assistant]
        if self._faults.on(Fault.ROUTE_WRONG_DID, route.name):
            others = (a.did for a in assistants.values() if a is not right and a.behaviour == "talks")
            return next(others, unassigned_number(self._deployment))
        return right.did

    def trunk(self, route: LineRoute) -> Trunk | None:
        """The trunk the line's routing names; None for one that does not exist."""
        right = self._deployment.trunk(route.trunk)
        if self._faults.on(Fault.ROUTE_WRONG_TRUNK, route.name):
            others = [trunk for trunk in self._deployment.trunks if trunk.name != right.name]
            # Preferably a trunk that leads to the same AI in another way.
            if not others:
                return None
            return next((trunk for trunk in others if trunk.ai == right.ai), others[0])
        return right

    def fallback(self, route: LineRoute) -> str | None:
        """The group that takes over when the AI cannot be reached."""
        right = route.line.fallback
        if right is None or self._faults.on(Fault.FALLBACK_MISSING, route.name):
            return None
        return self._another(right) if self._faults.on(Fault.FALLBACK_WRONG_GROUP, route.name) else right

    def own_agents(self, route: LineRoute) -> str | None:
        """The group that answers itself where no SIP transfer is configured."""
        return route.line.fallback or next((n for n, group in self._deployment.groups.items() if group.agents), None)

    def ring_timeout(self, route: LineRoute, configured: float) -> float:
        """Seconds the AI may ring."""
        return 2.5 * configured if self._faults.on(Fault.RING_TIMEOUT_WRONG, route.name) else configured

    def group_behind(self, name: str, line: str | None) -> str | None:
        """The group that a transfer to group ``name`` reaches; None for none."""
        return self._another(name) if self._faults.on(Fault.GROUP_WRONG, line) else name

    def topic(self, topic: str) -> str | None:
        return next((name for name, group in self._deployment.groups.items() if group.topic == topic), None)

    def _another(self, name: str) -> str | None:
        groups = self._deployment.groups
        own = set(groups[name].agents)
        others = [other for other, group in groups.items() if other != name and set(group.agents) - own]
        # Preferably a group that shares no agent.
        return next((other for other in others if not own & set(groups[other].agents)), others[0] if others else None)
