"""What facts are derived from: the evidence of one case that may be seen, whose it is, and helpers
to read it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from harness import integrations
from harness.case.check_table import Role, check_named
from harness.case.events import CallState, Event, FarEndRecord, LegStarted, RtpStatistics, phone_of
from harness.case.legs import CaseEvents, E
from harness.case.model import CallMessage, NumberOf, messages_in_record, messages_of
from harness.case.verdict import Finding, Verdict
from harness.deployment import SIP_NUMBER, STAND_IN, STRANGER, Deployment, Handover, Line, Trunk
from harness.diagnosis.facts import Facts
from harness.errors import SelectionError
from harness.sip import why
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import digits_of, is_number, is_spelling, region_of
from harness.sip.message import Message, Response
from harness.sip.uri import Uri

#: Whose evidence may be used. ``caller`` is what a black-box run sees: neither the AI's side nor
#: the agents' phones.
Visibility = Literal["all", "caller+agents", "caller"]
_SEEN: Mapping[Visibility, frozenset[Role]] = {
    "all": frozenset({"caller", "agent", "ai", "probe"}),
    "caller+agents": frozenset({"caller", "agent", "probe"}),
    "caller": frozenset({"caller", "probe"}),
}
#: What checks call the AI's side where it is no harness phone (and a harness phone there is never
#: one of the deployment's).
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

    def __init__(
        self, deployment: Deployment | None, events: CaseEvents, visibility: Visibility = "all"
    ) -> None:
        self._seen = _SEEN[visibility]
        self._groups: set[str] = set()
        self._agents: set[str] = set()
        if deployment is not None:
            self._groups = set(deployment.groups)
            for group in deployment.groups.values():
                self._agents |= set(group.agents)
            self._callers = set(deployment.phones) - self._agents
        else:  # who places calls is a caller, and who gets them an agent, as far as events tell
            started = events.of(LegStarted)
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
        if phone in self._agents | self._groups:
            return "agent"
        if label.removesuffix("'s leg") in self._agents:
            return "agent"
        if label == "probe":
            return "probe"
        if label.startswith(_AI_WORDS) or phone.startswith(("ai-", "synthflow")):
            return "ai"
        return "caller"

    def made_by(self, finding: Finding) -> Role:
        """Whose eyes or ears a finding is from."""
        return check_named(finding.check).made_by or self.role(finding.listener or finding.subject)

    def events(self, events: CaseEvents) -> CaseEvents:
        """Those that may be used, in their order."""
        if self._seen == _SEEN["all"]:
            return events
        return CaseEvents(event for event in events if self.sees(self._source(event)))

    def _source(self, event: Event) -> Role:
        return "ai" if is_ai_record(event) else self.role(event.phone)

    def findings(self, findings: Sequence[Finding]) -> list[Finding]:
        """Those that may be used, in their order."""
        return [finding for finding in findings if self.sees(self.made_by(finding))]


def is_ai_record(event: Event) -> bool:
    """Whether it is a record of the AI's interface, and not one of a probe."""
    return type(event) is FarEndRecord and event.phone != "probe"


@dataclass(frozen=True)
class Scene:
    """The evidence of one case, and the facts recorded so far."""

    case: Mapping[str, object]
    findings: Sequence[Finding]
    events: CaseEvents
    deployment: Deployment | None
    vantage: Vantage
    number_of: NumberOf
    #: Time of the last finding; later events are due to the harness hanging up.
    over: float = math.inf
    facts: Facts = field(default_factory=Facts)

    def record(self, fact: str, value: object, *evidence: str, leg: str | None = None) -> None:
        """Record a fact, of a leg if one shows it. None is ignored, and the first value recorded
        stands.
        """
        self.facts.record(fact, value, *evidence, leg=leg or "")

    def show(self, fact: str, value: object, finding: Finding) -> None:
        """Record a fact of the call that a finding is about."""
        self.record(fact, value, *shown(finding), leg=self.call_of(finding))

    def value(self, fact: str) -> object:
        """The value of a fact of the case recorded so far; None if it is unknown."""
        return self.facts.value(fact)

    def shown_by(self, fact: str) -> tuple[str, ...]:
        """The evidence of a fact recorded so far."""
        return self.facts[fact].evidence if fact in self.facts else ()

    def facts_of(self, finding: Finding) -> Facts:
        """The facts that a finding is explained by: those of its legs, of the call that these
        belong to, and of the case.
        """
        call = self.call_of(finding)
        beside = {end for end, other in self.calls.items() if call and other != call}
        return self.facts.at(*ends_of(finding), call, beside=beside)

    def call_of(self, finding: Finding) -> str:
        """The call that a finding is about, by the first leg of its caller; empty if that is not
        known.
        """
        for end in ends_of(finding):
            if end in self.calls:
                return self.calls[end]
        return ""

    # -- the case and its findings

    @property
    def axes(self) -> Mapping[str, str]:
        axes = self.case.get("axes")
        return axes if isinstance(axes, Mapping) else {}

    @property
    def moment(self) -> str:
        """What the case's row is about."""
        return str(self.case.get("moment", ""))

    @property
    def is_out_of_hours(self) -> bool:
        """Whether the case's row calls numbers while they are closed."""
        try:
            integration = integrations.find(str(self.case.get("integration")))
            return integration.row(str(self.case.get("row"))).out_of_hours
        except SelectionError:
            return False

    @property
    def has_stand_in(self) -> bool:
        """Whether a harness phone stands in for the AI."""
        return self.axes.get("ai") == "stand-in"

    def of(self, *checks: str, role: str | None = None) -> list[Finding]:
        """The findings of these checks, made by that role, that observed something. Of audio, even
        a weak sign counts.

        A broken finding shows nothing of the system: it was made while the harness itself stood
        still.
        """
        found = []
        for finding in self.findings:
            if finding.check not in checks or finding.verdict is Verdict.BROKEN:
                continue
            if finding.verdict is Verdict.NOT_OBSERVABLE and finding.check != "audio":
                continue
            if role is None or role == self.vantage.made_by(finding):
                found.append(finding)
        return found

    def failed(self, *checks: str, role: str | None = None) -> list[Finding]:
        """The findings among :meth:`of` that count against the system under test."""
        return [finding for finding in self.of(*checks, role=role) if finding.failed]

    # -- messages

    @cached_property
    def messages(self) -> list[CallMessage]:
        """Those of harness phones."""
        return list(messages_of(self.events, self.number_of))

    def messages_of(self, role: Role) -> list[CallMessage]:
        return [m for m in self.messages if self.vantage.role(m.phone) == role]

    def messages_on(self, leg: str | None) -> list[CallMessage]:
        return [m for m in self.messages if m.leg == leg]

    @cached_property
    def at_ai(self) -> list[CallMessage]:
        """Messages at the AI's side until the harness hung up: those in its records, then those of
        a stand-in.
        """
        return [*self.in_records, *(m for m in self.messages_of("ai") if m.time <= self.over)]

    @cached_property
    def in_records(self) -> list[CallMessage]:
        return [message for record in self.records for message in messages_in_record(record)]

    @cached_property
    def sent_by_ai(self) -> list[CallMessage]:
        return [m for m in self.at_ai if not m.received]

    @cached_property
    def got_by_ai(self) -> list[CallMessage]:
        return [m for m in self.at_ai if m.received]

    @cached_property
    def invites(self) -> list[CallMessage]:
        """The INVITEs that began a dialog at the AI, none before the case placed its call; where
        more came than calls were placed, those that show a caller of the case.
        """
        placed = min((leg.at for leg in self.placed), default=-math.inf)
        begun = [m for m in self.got_by_ai if m.begins_dialog]
        came = [m for m in begun if m.at is None or m.at >= placed]
        calls = {m.message.call_id for m in came}
        if len(calls) <= len(self.placed):
            return came
        return [m for m in came if self._shows_a_caller(m)] or came

    @cached_property
    def foreign_calls(self) -> list[CallMessage]:
        """INVITEs at the AI that are not the case's."""
        return [m for m in self.got_by_ai if m.begins_dialog and m not in self.invites]

    @cached_property
    def placed(self) -> list[LegStarted]:
        """The calls that callers placed, none of them on a REFER."""
        legs = self.legs_of("caller")
        return [leg for leg in legs if leg.direction == "outgoing" and leg.replaces is None]

    def _shows_a_caller(self, invite: CallMessage) -> bool:
        """Whether one of the headers that name a caller shows the number of a phone that placed a
        call of the case.
        """
        message = invite.message
        headers = (message.get("From"), *message.get_all("P-Asserted-Identity"))
        shown = [number_in(value) or "" for value in headers if value]
        return any(same_number(one, number) for one in shown for number in self._placed_from)

    @cached_property
    def _placed_from(self) -> list[str]:
        """The numbers of the phones that placed calls."""
        phones = self.deployment.phones if self.deployment else {}
        callers = [phones[leg.phone] for leg in self.placed if leg.phone in phones]
        return [caller.number for caller in callers if caller.number]

    @cached_property
    def records(self) -> list[FarEndRecord]:
        """What the AI's interface last said of each of its calls."""
        records = filter(is_ai_record, self.events.of(FarEndRecord))
        return list({record.source: record for record in records}.values())

    def events_of(self, kind: type[E], leg: str | None) -> list[E]:
        """The events of this kind on one leg."""
        known = self.events.legs.get(leg or "")
        return known.of(kind) if known is not None else []

    def reported(self, kind: type[E], role: Role) -> list[E]:
        """The events of this kind that phones of a role reported."""
        return [event for event in self.events.of(kind) if self.vantage.role(event.phone) == role]

    # -- calls of harness phones

    @cached_property
    def legs(self) -> list[LegStarted]:
        return self.events.of(LegStarted)

    def legs_of(self, role: Role) -> list[LegStarted]:
        """The legs of phones of a role."""
        return self.reported(LegStarted, role)

    @cached_property
    def call(self) -> LegStarted | None:
        """The caller's first leg."""
        return min(self.legs_of("caller"), key=lambda leg: leg.at, default=None)

    @cached_property
    def own(self) -> list[CallMessage]:
        """The messages of the caller's first leg."""
        return self.messages_on(self.call.leg) if self.call else []

    @cached_property
    def calls(self) -> Mapping[str, str]:
        """The call that each end takes part in, by the first leg of its caller: who was to be heard
        where says which.

        An end that is named alike in several calls, such as an assistant, is left out.
        """
        found: dict[str, set[str]] = {}
        for leg in self.legs_of("caller"):
            found[str(leg.leg)] = found.get(leg.replaces or "", {str(leg.leg)})
        for finding in self.findings:
            if finding.check != "audio":
                continue
            for end, other in (
                (finding.speaker, finding.listener),
                (finding.listener, finding.speaker),
            ):
                if other in found and self.vantage.role(end) != "caller":
                    found[end] = found.get(end, set()) | found[other]
        return {end: next(iter(calls)) for end, calls in found.items() if len(calls) == 1}

    def states(self, leg: str | None) -> list[CallState]:
        """The states of a leg until the harness hung up."""
        return [state for state in self.events_of(CallState, leg) if state.at <= self.over]

    def state(self, leg: str | None, name: str) -> CallState | None:
        """The first state of that name."""
        return next((state for state in self.states(leg) if state.state == name), None)

    @cached_property
    def last_statistics(self) -> list[RtpStatistics]:
        """The last counters of each leg."""
        return list({e.leg: e for e in self.events.of(RtpStatistics)}.values())

    # -- the deployment

    @cached_property
    def line_name(self) -> str:
        """The line that was called, by the number dialled; else the case's. Empty for none."""
        if self.deployment is None:
            return ""
        dialled = number_in(self.call.remote_uri) if self.call else None
        numbers = self.deployment.all_dids()
        found = [name for name, _, number in numbers if same_number(dialled or "", number)]
        name = str(self.case.get("line"))
        if found and name not in found:  # a number with a menu has a line for each choice
            name = found[0]
        return name if name in self.deployment.lines else ""

    @cached_property
    def line(self) -> Line | None:
        """What the file declares of the line that was called."""
        if self.deployment is None or not self.line_name:
            return None
        return self.deployment.lines[self.line_name]

    @property
    def handover(self) -> Handover | None:
        """The handover of the line's assistant that the case asks for."""
        if self.deployment is None or self.line is None:
            return None
        return self.deployment.handover(self.line_name, self.axes.get("handover", ""))

    @cached_property
    def trunk(self) -> Trunk | None:
        """The trunk of the case."""
        trunks = self.deployment.trunks if self.deployment else ()
        return next((trunk for trunk in trunks if trunk.name == self.case.get("trunk")), None)

    @property
    def platform_answers(self) -> bool:
        """Whether the platform itself answers calls to the line first, with an announcement or a
        menu.
        """
        return self.line is not None and bool(self.line.announcement_s or self.line.press)

    @property
    def takers_are_seen(self) -> bool:
        """Whether those who take over for the AI have harness phones. True if there is no fallback."""
        fallback = self.line.fallback if self.line else None
        if fallback is None or self.deployment is None:
            return True
        group = self.deployment.groups[fallback]
        return (bool(group.agents) and not group.others) or group.is_machine

    @property
    def people_rang_instead(self) -> bool:
        """Whether agents were seen to ring for a call that was to reach the AI."""
        return self.value("instead") not in (None, "nobody")


def ends_of(finding: Finding) -> list[str]:
    """The legs that a finding is about, the one that shows it first."""
    ends = (finding.listener, finding.speaker, finding.subject.removesuffix("'s BYE"))
    return [end for end in ends if end]


def shown(finding: Finding) -> tuple[str, ...]:
    """The evidence of a fact that a finding shows."""
    return (*finding.evidence, f"{finding.subject}: {finding.actual}")


def listed(value: object) -> list[object]:
    """A list in a finding's measurement; empty if it has none."""
    return list(value) if isinstance(value, list | tuple) else []


def said_by(message: Message | None) -> tuple[str, ...]:
    """A response in its own words: the status line of a refusal, and the reasons in its headers."""
    reasons = why.stated(message)
    if isinstance(message, Response) and message.status >= 300:
        return (message.start_line.rstrip(), *reasons)
    return tuple(reasons)


def offered_audio(message: Message) -> str:
    """The m=audio line of a message, for a reader."""
    found = re.search(rb"^m=audio [^\r\n]*", message.body, re.M)
    return f"offered: {found[0].decode('utf-8', 'replace')}" if found else "no audio was offered"


def username_in(seen: CallMessage) -> str | None:
    """The user name in its credentials; None without credentials."""
    value = seen.message.get("Authorization") or seen.message.get("Proxy-Authorization") or ""
    found = re.search(r'username="([^"]*)"', value)
    return found[1] if found else None


def answered_request(finding: Finding) -> str:
    """The method of the request whose final response a finding is about."""
    if finding.subject == "OPTIONS":
        return "OPTIONS"
    return "BYE" if finding.subject.endswith("'s BYE") else "INVITE"


def number_in(uri: str) -> str | None:
    """The user part of a SIP or tel URI, with or without a display name; a telephone number without
    visual separators.
    """
    inner = uri.partition("<")[2].partition(">")[0] or uri
    try:
        return digits_of(Uri.parse(inner)) or None
    except SipSyntaxError:
        return None


#: What is dialled before a country code, in most of the world and in North America.
_ABROAD = re.compile(r"^(00|011)(?=[1-9])")
_FEWEST_DIGITS = 7


def same_number(written: str, number: str) -> bool:
    """Whether ``written`` is the E.164 number in some form: national, with or without trunk prefix,
    without its plus, or with 00; or the same user, where ``number`` is one.
    """
    if not is_number(number):
        return bool(number) and written == number
    digits = _ABROAD.sub("", re.sub(r"\D", "", written))
    if len(digits) < _FEWEST_DIGITS:
        return False
    if number.lstrip("+").endswith(digits):
        return True
    return is_spelling(written, number, region_of(number, ""))
