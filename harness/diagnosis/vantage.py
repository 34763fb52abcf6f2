"""Who saw what: the same evidence as a caller alone, or callers and agents without the AI's side, would have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from harness.calls.check_table import check_named
from harness.calls.events import Event, FarEndRecord, LegStarted, phone_of
from harness.calls.verdict import Finding
from harness.deployment import SIP_NUMBER, STAND_IN, STRANGER, Deployment

#: Whose evidence may be used. ``caller`` is what a black-box run sees: neither the AI's side nor the agents' phones.
Visibility = Literal["all", "caller+agents", "caller"]

Role = Literal["caller", "agent", "ai", "probe"]

_SEEN: dict[Visibility, frozenset[Role]] = {
    "all": frozenset({"caller", "agent", "ai", "probe"}),
    "caller+agents": frozenset({"caller", "agent", "probe"}),
    "caller": frozenset({"caller", "probe"}),
}

#: What checks call the AI's side where it is no harness phone (and a harness phone there is never one of the deployment's).
_AI_WORDS = (
    "assistant ",
    "the AI",
    "Synthflow's number",
    "the stand-in's number",
    STAND_IN,
    SIP_NUMBER,
    STRANGER,
)


class Vantage:
    """Tells the roles of phones and findings apart, by the deployment where there is one."""

    def __init__(self, deployment: Deployment | None, events: Sequence[Event], visibility: Visibility = "all") -> None:
        self._seen = _SEEN[visibility]
        self.visibility = visibility
        self._agents: set[str] = set()
        self._callers: set[str] = set()
        self._groups: set[str] = set()
        if deployment is not None:
            self._groups = set(deployment.groups)
            self._agents = {agent for group in deployment.groups.values() for agent in group.agents}
            self._callers = set(deployment.phones) - self._agents
        else:  # who places calls is a caller, and who gets them an agent, as far as events tell
            started = [event for event in events if isinstance(event, LegStarted)]
            self._callers = {event.phone for event in started if event.direction == "outgoing"}
            self._agents = {event.phone for event in started} - self._callers

    def sees(self, role: Role) -> bool:
        """Whether that role's evidence may be used."""
        return role in self._seen

    def role(self, label: str) -> Role:
        """The role of a phone, a leg, or whatever a check calls an end."""
        known = label in self._callers | self._agents | self._groups
        phone = label if known else phone_of(label) or label
        if phone in self._callers:
            return "caller"
        if phone in self._agents or phone in self._groups or label.removesuffix("'s leg") in self._agents:
            return "agent"
        if label == "probe":
            return "probe"
        if label.startswith(_AI_WORDS) or phone.startswith(("ai-", "synthflow")):
            return "ai"
        return "caller"

    def made_by(self, finding: Finding) -> Role:
        """Whose eyes or ears a finding is from."""
        if made_by := check_named(finding.check).made_by:
            return cast(Role, made_by)
        return self.role(finding.listener or finding.subject)

    def events(self, events: Sequence[Event]) -> list[Event]:
        """Those that may be used, in their order."""
        return [event for event in events if self.sees(self._role_of(event))]

    def findings(self, findings: Sequence[Finding]) -> list[Finding]:
        """Those that may be used, in their order."""
        return [finding for finding in findings if self.sees(self.made_by(finding))]

    def _role_of(self, event: Event) -> Role:
        if isinstance(event, FarEndRecord) and event.phone != "probe":
            return "ai"
        return self.role(event.phone)
