"""Facts from findings and events: computed once for a case, before any rule looks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.calls.events import CallState, Event, FarEndRecord, LegStarted, RtpStatistics, SipMessage
from harness.calls.verdict import Finding, Verdict
from harness.deployment import Deployment, Trunk
from harness.deployment import Line as LineEntry
from harness.diagnosis.facts import Facts
from harness.diagnosis.messages import NumberOf, Seen, at_the_ai, begins_dialog, last_records, parse
from harness.diagnosis.vantage import Role, Vantage
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import digits_of, is_spelling, region_of
from harness.sip.message import Message
from harness.sip.uri import Uri


@dataclass(frozen=True)
class Scene:
    """What facts are derived from: only what the vantage may see of one case."""

    case: Mapping[str, object]
    findings: Sequence[Finding]
    events: Sequence[Event]
    deployment: Deployment | None
    vantage: Vantage
    number_of: NumberOf
    over: float = math.inf  #: when the last finding was made: what came later, the harness brought about by hanging up
    facts: Facts = field(default_factory=Facts)

    @property
    def axes(self) -> Mapping[str, str]:
        """The case's axes."""
        axes = self.case.get("axes")
        return axes if isinstance(axes, Mapping) else {}

    @property
    def moment(self) -> str:
        """What the case's row is about."""
        return str(self.case.get("moment", ""))

    @cached_property
    def withheld(self) -> bool:
        """Whether the caller withholds the number (RFC 3323)."""
        sent = (e for e in self.messages_of("caller") if e.direction == "sent")
        return any(
            e.text.startswith("INVITE ") and re.search(r"^Privacy\s*:.*\b(id|user)\b", e.text, re.I | re.M)
            for e in sent
        )

    def of(self, *checks: str, role: str | None = None) -> list[Finding]:
        """The findings of these checks, made by that role; where nobody could look, there is none (of audio even a weak sign tells)."""
        told = (f for f in self.findings if f.check == "audio" or f.verdict is not Verdict.NOT_OBSERVABLE)
        return [f for f in told if f.check in checks and role in (None, self.vantage.made_by(f))]

    @cached_property
    def at_ai(self) -> list[Seen]:
        """Messages at the AI's side, until the harness hung up."""
        events = [e for e in self.events if not isinstance(e, SipMessage) or e.at <= self.over]
        return at_the_ai(events, self.vantage, self.number_of)

    @cached_property
    def records(self) -> list[FarEndRecord]:
        """What the AI's own interface says of each of its calls."""
        return last_records(self.events)

    @cached_property
    def invites(self) -> list[Seen]:
        """The INVITEs that began a dialog at the AI, the one that was let in last."""
        return [s for s in self.at_ai if s.received and begins_dialog(s.message)]

    @cached_property
    def call(self) -> LegStarted | None:
        """The caller's first leg."""
        legs = [e for e in self.events if isinstance(e, LegStarted) and self.vantage.role(e.phone) == "caller"]
        return min(legs, key=lambda leg: leg.at, default=None)

    @cached_property
    def callers(self) -> set[str]:
        """The phones that placed calls."""
        legs = (e for e in self.events if isinstance(e, LegStarted) and e.direction == "outgoing")
        return {leg.phone for leg in legs if self.vantage.role(leg.phone) == "caller"}

    def messages(self, leg: str | None) -> list[SipMessage]:
        """The messages of a leg."""
        return [e for e in self.events if isinstance(e, SipMessage) and e.leg == leg]

    def messages_of(self, role: Role) -> list[SipMessage]:
        """The messages of that role's phones."""
        return [e for e in self.events if isinstance(e, SipMessage) and self.vantage.role(e.phone) == role]

    def received_by(self, role: Role) -> Iterator[tuple[SipMessage, Message]]:
        """What that role's phones got, as far as it can be read."""
        for event in self.messages_of(role):
            message = parse(event.text) if event.direction == "received" else None
            if message is not None:
                yield event, message

    def states(self, leg: str | None) -> list[CallState]:
        """The states a leg went through, until the harness hung up."""
        return [e for e in self.events if isinstance(e, CallState) and e.leg == leg and e.at <= self.over]

    @cached_property
    def last_statistics(self) -> list[RtpStatistics]:
        """Each leg's last counters."""
        return list({e.leg: e for e in self.events if isinstance(e, RtpStatistics)}.values())

    @cached_property
    def line(self) -> tuple[str, LineEntry] | None:
        """The line that was called, by the number dialled, else the case's own."""
        if self.deployment is None:
            return None
        dialled = number_in(self.call.remote_uri) if self.call else None
        for name, _, number in self.deployment.all_dids():
            if dialled is not None and same_number(dialled, number):
                return name, self.deployment.lines[name]
        declared = str(self.case.get("line"))
        return (declared, self.deployment.lines[declared]) if declared in self.deployment.lines else None

    @cached_property
    def trunk(self) -> Trunk | None:
        """The trunk of the case."""
        if self.deployment is None:
            return None
        return next((trunk for trunk in self.deployment.trunks if trunk.name == self.case.get("trunk")), None)

    def failed(self, finding: Finding) -> bool:
        """Whether it speaks against the system under test."""
        return finding.verdict is Verdict.FAILED


def shown(finding: Finding) -> tuple[str, ...]:
    """What shows a fact that a finding tells."""
    return (*finding.evidence, f"{finding.subject}: {finding.actual}")


def listed(value: object) -> list[object]:
    """A finding's list; empty where it has none."""
    return list(value) if isinstance(value, list | tuple) else []


def answered_request(finding: Finding) -> str:
    """The method of the request that a final response was found for: of the call itself, outside any, or at its end."""
    return "OPTIONS" if finding.subject == "OPTIONS" else "BYE" if finding.subject.endswith("'s BYE") else "INVITE"


def number_in(uri: str) -> str | None:
    """The user part of a SIP or tel URI, name and brackets apart; a telephone number's without visual separators."""
    inner = uri.partition("<")[2].partition(">")[0] or uri
    try:
        return digits_of(Uri.parse(inner)) or None
    except SipSyntaxError:
        return None


#: What is dialled before a country code, in most of the world and in North America.
_ABROAD = re.compile(r"^(00|011)(?=[1-9])")
_FEWEST_DIGITS = 7


def same_number(written: str, number: str) -> bool:
    """Whether ``written`` is the E.164 number in some form: national, with or without trunk prefix, without its plus, or with 00."""
    digits = _ABROAD.sub("", re.sub(r"\D", "", written))
    if not number or len(digits) < _FEWEST_DIGITS:
        return False
    return number.lstrip("+").endswith(digits) or is_spelling(written, number, region_of(number, ""))
