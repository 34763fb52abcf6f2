"""The case of a made-up example, on a clock of its own, in a deployment whose addresses are filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from harness.calls.events import Event, FarEndRecord
from harness.calls.verdict import Finding
from harness.deployment import Deployment, Handover, from_plain, to_plain
from harness.integrations import find, load
from harness.support.resources import EXAMPLES

AI = "192.0.2.60"  #: Synthflow's host; documentation addresses, RFC 5737
STAND_IN = "192.0.2.90"
STRANGER = "192.0.2.91"  #: an address of the stand-in's machine that is not allowed
CALLER = "+14155550101"

SDP = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 4000 {protocol} {formats}\r\n{lines}"


@cache
def deployment(integration: str) -> Deployment:
    """A simulated deployment with its addresses filled in; each trunk has one of its own at the platform."""
    plain = to_plain(load(EXAMPLES / f"simulated-{integration}.toml"))
    for index, trunk in enumerate(plain["trunks"]):
        trunk["host"] = AI if trunk["ai"] == "synthflow" else STAND_IN
        trunk["termination"] = f"198.51.100.{20 + index}:5060"
        if trunk.get("username"):
            trunk["password"] = "made-up"
    plain["synthflow"]["api_base"] = "https://api.example/v2"
    plain["stand_in"] |= {"bind": STAND_IN, "stranger_bind": STRANGER}
    return from_plain(plain)


@dataclass
class CaseExample:
    """One case under construction, on a clock of its own."""

    integration: str = "talkdesk"
    row: str = "TD-INBOUND"
    ai: str = "synthflow"
    transport: str = "udp"
    authentication: str = "ip"
    line: str = "inbound"
    now: float = 1000.0
    axes: dict[str, str] = field(default_factory=dict)
    handovers: dict[str, Handover] = field(default_factory=dict)  #: of the line's assistant, beside its own table's
    queue_s: float = 0.0  #: of each group
    browsers: bool = False  #: those who take over for the AI have no harness phones
    ring_timeout_s: float = 0.0  #: as a file has it that is not of a simulated deployment
    number_format: str = ""  #: of the caller's number, as agreed
    telephone: str = ""  #: the agent whom the platform calls at a number, and shows one of its own
    events: list[Event] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _messages: list[dict[str, str]] = field(default_factory=list)
    _record: dict[str, Any] = field(default_factory=dict)

    @property
    def moment(self) -> str:
        """What the row is about."""
        return find(self.integration).row(self.row).moment

    @property
    def deployment(self) -> Deployment:
        plain = deployment(self.integration)
        if self.queue_s:
            queues = {name: g.model_copy(update={"queue_s": self.queue_s}) for name, g in plain.groups.items()}
            plain = plain.model_copy(update={"groups": queues})
        if self.browsers:
            fallback = str(plain.lines[self.line].fallback)
            unseen = plain.groups[fallback].model_copy(update={"agents": ()})
            plain = plain.model_copy(update={"groups": {**plain.groups, fallback: unseen}})
        if self.ring_timeout_s:
            timings = plain.timings.model_copy(update={"ring_timeout_s": self.ring_timeout_s, "quick": None})
            plain = plain.model_copy(update={"timings": timings})
        if self.number_format:
            expect = plain.expect.model_copy(update={"number_format": self.number_format})
            plain = plain.model_copy(update={"expect": expect})
        if self.telephone:
            at_number = {"number": "+14155550177", "shows": "platform"}
            phone = plain.phones[self.telephone].model_copy(update=at_number)
            plain = plain.model_copy(update={"phones": {**plain.phones, self.telephone: phone}})
        if not self.handovers:
            return plain
        name = str(plain.lines[self.line].assistant)
        changed = plain.assistants[name].model_copy(update={"handovers": self.handovers})
        return plain.model_copy(update={"assistants": {**plain.assistants, name: changed}})

    @property
    def trunk(self) -> Any:
        wanted = (self.ai, self.transport, self.authentication)
        return next(t for t in self.deployment.trunks if (t.ai, t.transport, t.authentication) == wanted)

    @property
    def did(self) -> str:
        return self.deployment.did(self.line, self.trunk.name)

    @property
    def caller(self) -> str:
        return str(self.deployment.phones["caller"].number)

    @property
    def assistant(self) -> str:
        return str(self.deployment.lines[self.line].assistant)

    def after(self, seconds: float) -> Self:
        self.now += seconds
        return self

    def _records(self) -> list[Event]:
        if not self._messages and not self._record:
            return []
        record = {"call_id": "c1", **self._record}
        record["witness"] = {"messages": self._messages, **self._record.get("witness", {})}
        return [FarEndRecord(at=self.now, phone="synthflow", source="GET /v2/calls/c1", record=record)]
