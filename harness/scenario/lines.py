"""The numbers that scenarios call."""

from __future__ import annotations

from dataclasses import dataclass

from harness.deployment import Assistant, Deployment, Trunk
from harness.deployment import Line as LineEntry
from harness.sip.identity import dialled_at_home


@dataclass(frozen=True)
class Line:
    """A number at the platform, over the trunk of the case."""

    name: str
    did: str
    entry: LineEntry
    trunk: Trunk
    leads_to: Assistant | None  #: whom its routing should reach; None: people only

    @property
    def assistant(self) -> Assistant:
        """The assistant it leads to; not to be asked of a number of people only."""
        assert self.leads_to is not None, f"{self.name} leads to people only"
        return self.leads_to


def line_of(deployment: Deployment, trunk: Trunk, name: str) -> Line:
    """A line of the deployment, over ``trunk``."""
    entry = deployment.lines[name]
    assistant = deployment.assistants[entry.assistant] if entry.assistant else None
    return Line(name, deployment.did(name, trunk.name), entry, trunk, assistant)


def number_as(number: str, form: str) -> str:
    """A number to dial, as ``e164``, ``national`` or ``tel`` (RFC 3966)."""
    return {"national": dialled_at_home(number), "tel": f"tel:{number}"}.get(form, number)
