"""The tables of a deployment file, and what follows from them together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Self

from pydantic import Field, field_validator

from harness.deployment.hours import Zone, is_open, planned_at
from harness.deployment.network import Account, PhoneEntry, Platform, StandIn, Trunk
from harness.deployment.routing import (
    Assistant,
    Campaign,
    Escalation,
    Group,
    Handover,
    Holidays,
    Line,
    Opening,
    Synthflow,
    Transfer,
    WitnessFiles,
    each_choice,
)
from harness.deployment.terms import (
    Axes,
    DeclaredTimings,
    Expectations,
    ExtraNumbers,
    Limits,
    Nightly,
    Responsiveness,
    Safety,
    Timings,
)
from harness.deployment.values import (
    ApiAccess,
    Kind,
    LineOfText,
    Model,
    NumberFormat,
    Region,
    SiteName,
    Way,
)
from harness.sip.identity import has_national_form, region_of

#: How many digits prove DTMF.
IDLE = 5


class Tables(Model):
    """One customer's set-up, each table by itself checked."""

    name: str = Field(min_length=1)  #: part of each case's id
    integration: str  #: ``talkdesk``, ``gladly``, ``generic``, or another one's entry point
    #: Platform and AI: both simulated; a harness phone as the AI; both real.
    kind: Kind
    #: How national numbers are read, and whose numbers may be called.
    region: Region = "US"
    #: Whose results these are. Keep it the same from run to run: Allure identifies cases by it.
    site: SiteName = "local"
    zone: Zone | None = None  #: of all hours, e.g. ``Europe/Berlin``
    platform: Platform
    axes: Axes = Axes()
    timings: DeclaredTimings = DeclaredTimings()
    #: On how many numbers a row is proved, and by how many callers (above).
    depth: Literal["once", "every-number", "every-caller", "full"] = "every-number"
    #: Rows that must be run; ``documented``: all of the guide's.
    require: tuple[str, ...] = ()
    trunks: tuple[Trunk, ...]
    lines: dict[str, Line]
    #: A spreadsheet of lines (above).
    numbers_csv: str | None = None
    #: Columns of it to pass over.
    numbers_ignore: tuple[str, ...] = ()
    holidays: dict[str, Holidays] = {}
    numbers: ExtraNumbers = ExtraNumbers()
    groups: dict[str, Group] = {}
    assistants: dict[str, Assistant]
    synthflow: Synthflow | None = None
    witness: WitnessFiles | None = None
    stand_in: StandIn = StandIn()
    escalation: Escalation = Escalation()
    campaign: Campaign | None = None
    accounts: dict[str, Account]
    phones: dict[str, PhoneEntry]
    expect: Expectations = Expectations()
    responsiveness: Responsiveness = Responsiveness()
    leave_out: dict[str, LineOfText] = {}  #: row → why it is left out
    limits: Limits = Limits()
    nightly: Nightly = Nightly()
    safety: Safety = Safety()
    #: Calls from addresses that this file does not name; ``answer`` is for labs.
    strangers: Literal["refuse", "answer"] = "refuse"
    ca_file: str | None = None  #: CA certificates for SIP over TLS (PEM); default: the system's
    #: Settings of the simulated world ([settings](simulation.md#settings)).
    simulated: dict[str, Any] = {}

    @field_validator("lines")
    @classmethod
    def _each_choice(cls, lines: dict[str, Line]) -> dict[str, Line]:
        return each_choice(lines)

    def trunk(self, name: str) -> Trunk:
        """The trunk of that name. Raises ``KeyError``."""
        for trunk in self.trunks:
            if trunk.name == name:
                return trunk
        raise KeyError(name)

    def numbers_of_line(self, line: str) -> Mapping[str, str]:
        """Trunk name → number of every number that ``line`` has, or the user that it has instead."""
        entry = self.lines[line]
        only = entry.did or entry.user
        return {entry.trunk or self.trunks[0].name: only} if only else entry.dids

    def did(self, line: str, trunk: str) -> str:
        """The number, or user, that reaches ``line`` over ``trunk``. Raises ``KeyError`` where the
        trunk does not carry it.
        """
        return self.numbers_of_line(line)[trunk]

    def all_dids(self) -> Iterator[tuple[str, str, str]]:
        """(line, trunk name, number or user) of every number at the platform."""
        for line in self.lines:
            for trunk, number in self.numbers_of_line(line).items():
                yield line, trunk, number

    def line_behind(self, group: str) -> str | None:
        """The line that has the group's number, if an assistant takes the group's calls."""
        entry = self.groups[group]
        for line, _, number in self.all_dids() if entry.assistant else ():
            if number == entry.did and self.lines[line].assistant == entry.assistant:
                return line
        return None

    def is_within(self, entry: Opening, at: datetime | None = None) -> bool:
        """Whether a number or a group is within its own hours ``at`` that moment; by default the
        one the run's plan is made for.
        """
        zone = entry.zone or self.zone
        if entry.hours is None or zone is None:
            return True
        dates = self.holidays[entry.holidays].dates if entry.holidays else ""
        return is_open(entry.hours, zone, at or planned_at(), dates)

    def opening(self, line: str, at: datetime | None = None) -> Opening:
        """Of a number and the group of people that it leads to, the one that is out of its hours;
        else the one that has any.
        """
        entry = self.lines[line]
        ways = [one for one in (entry, self.groups.get(entry.group or "")) if one and one.hours]
        shut = (one for one in ways if not self.is_within(one, at))
        return next(shut, next(iter(ways), entry))

    def is_open(self, line: str, at: datetime | None = None) -> bool:
        """Whether a number, and the group of people that it leads to, are within their hours."""
        return self.is_within(self.opening(line, at), at)

    def closes_after_menu(self, line: str) -> bool:
        """Whether calls to a number that is closed go through its announcement and menu first."""
        return self.lines[line].closes_after_menu or self.opening(line) is not self.lines[line]

    def overflow(self, line: str) -> str | None:
        """The group that takes over when harness phones decline a call to people: the same one if
        it has a machine.

        None where nothing takes over, or where that cannot be caused or told.
        """
        entry = self.lines[line]
        group = self.groups[entry.group] if entry.group else None
        if group is None or group.is_machine or group.others or not (group.agents or group.empty):
            return None
        if group.has_machine:
            return entry.group
        if entry.fallback is None or entry.overflow is not None:
            return None
        taker = self.groups[entry.fallback]
        return (
            entry.fallback
            if (taker.present or taker.is_machine) and not set(group.agents) & set(taker.agents)
            else None
        )

    @property
    def group_called(self) -> str | None:
        """The group that calls from the AI's side go to: the first with agents and a number, else a
        user; None where none can.
        """
        there = [
            name
            for name, group in self.groups.items()
            if group.present and group.address and self.is_within(group)
        ]
        return next((name for name in there if self.groups[name].did), next(iter(there), None))

    def is_reported(self, group: str) -> bool:
        """Whether a landing in ``group`` is seen by the platform's report: others answer there, and
        it names the group.
        """
        if self.platform.report is None:
            return False
        entry = self.groups[group]
        return bool(entry.reported_as) and not entry.agents and not entry.empty

    def may_be_reported(self, group: str) -> bool:
        """Whether the report may have to tell of a landing in ``group``: no agent, or not every
        one, has a harness phone.
        """
        if self.platform.report is None:
            return False
        entry = self.groups[group]
        return (bool(entry.reported_as) and entry.others) or self.is_reported(group)

    @property
    def callers(self) -> list[str]:
        """The test phones that call: every one that is no agent, and not the campaign's customer,
        unless there is no other.

        Where any of them has a number, those that have none are left out: a SIP user at the
        platform is no outside caller. Of those with one address of record only the first: the
        others would show the same number in From.
        """
        agents = {agent for group in self.groups.values() for agent in group.agents}
        customer = self.campaign.customer if self.campaign else None
        outside = [name for name in self.phones if name not in agents]
        left = [name for name in outside if name != customer] or outside
        calling = [name for name in left if self.phones[name].number] or left
        found: dict[tuple[str, str], str] = {}
        for name in calling:
            found.setdefault(self.address_of_record(name), name)
        return list(found.values())

    def callers_from(self, first: str) -> list[str]:
        """All callers in their order, beginning with ``first`` if it is one."""
        every = self.callers
        at = every.index(first) if first in every else 0
        return every[at:] + every[:at]

    def address_of_record(self, phone: str) -> tuple[str, str]:
        """Its user, and its domain where the account is known."""
        entry = self.phones[phone]
        account = self.accounts.get(entry.account)
        return entry.aor_user, account.domain.lower() if account is not None else ""

    def number_format_at(self, group: str | None, trunk: str = "") -> NumberFormat:
        """How the caller's number is written at a group's agents; None: at the AI, over ``trunk``."""
        expect = self.expect
        if group is None and trunk and (own := self.trunk(trunk).number_format) is not None:
            return own
        of_group = (
            self.groups[group].number_format or expect.agent_number_format
            if group is not None
            else None
        )
        return of_group or expect.number_format

    def is_telephone(self, phone: str) -> bool:
        """Whether the phone, of any name, is a telephone with a number of its own."""
        return phone in self.phones and self.phones[phone].number is not None

    def region_at(self, phone: str) -> str:
        """The region in whose national form the phone is told numbers, and dials them: a
        telephone's own network reads them.
        """
        number = self.phones[phone].number if phone in self.phones else None
        if number is None or has_national_form(number, self.region):
            return self.region
        return region_of(number, self.region)

    @property
    def customer(self) -> str:
        """The test phone that a campaign calls."""
        return (self.campaign.customer if self.campaign else None) or self.callers[0]

    def models(self, number: str | None = None) -> tuple[str, ...]:
        """Synthflow's ids of the assistants, or of those that answer at ``number``; none where its
        API lists all alike.
        """
        wanted = (a for a in self.assistants.values() if number in (None, a.address))
        return tuple(dict.fromkeys(a.model_id for a in wanted if a.model_id is not None))

    def handovers(self, assistant: str) -> dict[str, Handover]:
        """How that assistant hands over, by name: first as its own table says, under no name, for
        which ``escalation`` asks.
        """
        entry, own = self.assistants[assistant], self._own_handover(assistant)
        return entry.handovers if own is None else {"": own, **entry.handovers}

    def _own_handover(self, assistant: str) -> Handover | None:
        entry, asked = self.assistants[assistant], self.escalation
        if entry.transfer is None:
            return None
        return _own_handover(asked.ways, asked.digit, asked.prompt, _of_transfer(entry))

    def handover(self, line: str | None, name: str = "") -> Handover | None:
        """The handover of that name by the assistant a number leads to; None where it has none."""
        assistant = self.lines[line].assistant if line else None
        if not assistant:
            return None
        return (
            self.assistants[assistant].handovers.get(name)
            if name
            else self._own_handover(assistant)
        )

    def handovers_made(
        self, assistant: str, number: str, topic: str | None, *, shows_topic: bool
    ) -> list[str]:
        """The handovers of that assistant that a transfer to ``number`` may be; ``topic`` tells
        more only where it is shown.
        """
        return [
            name
            for name, handover in self.handovers(assistant).items()
            if self.groups[str(handover.transfer_to)].is_at(number, self.region)
            and (not shows_topic or handover.transfer_topic == topic)
        ]

    def lands_at(self, handover: Handover) -> str:
        """The group that it leads to: by its topic, where a group has that, else by its number."""
        by_topic = self.groups_of_topic(handover.transfer_topic)
        return next(iter(by_topic), str(handover.transfer_to))

    def groups_of_topic(self, topic: str | None) -> list[str]:
        """The groups that have the topic; none where there is none."""
        return [name for name, group in self.groups.items() if topic in group.topic]

    def alike(self, group: str, rang: Collection[str]) -> list[str]:
        """Other groups for which the same people could have rung that ``rang``.

        A group whose first turn has a phone outside ``group`` is excluded: that phone would have
        rung, unless others rang instead.
        """
        present = set(self.groups[group].present)
        others = ((name, set(g.first_turn), g) for name, g in self.groups.items() if name != group)
        return [
            name
            for name, first, g in others
            if first and (g.others or first <= present) and set(rang) <= set(g.present)
        ]

    def twins(self, group: str) -> list[str]:
        """Other groups with the same people in the same turns: nothing at their phones tells the
        groups apart.
        """
        own = self._turns(group)
        return [name for name in self.groups if own and name != group and self._turns(name) == own]

    def _turns(self, group: str) -> list[set[str]]:
        return [set(turn) for turn in self.groups[group].turns]

    def telling_turn(self, group: str) -> int | None:
        """How many turns must decline until ringing order tells the group from all others of the
        same people, or of the same first turn; None: no such group.
        """
        own, people = self._turns(group), set(self.groups[group].present)
        if self.groups[group].others:  # agents without harness phones may take any turn
            return None
        turns = [self._turns(name) for name, g in self.groups.items() if name != group and g.turns]
        turns = [other for other in turns if set().union(*other) == people or other[:1] == own[:1]]
        differs = (
            [at for at, turn in enumerate(own) if turn not in other[at : at + 1]] for other in turns
        )
        return max((found[0] for found in differs if found), default=None)

    def is_told_by_report(self, group: str) -> bool:
        """Whether the platform's report tells a landing in the group from one in its :meth:`twins`."""
        named = (self.groups[name].reported_as for name in (group, *self.twins(group)))
        return self.platform.report is not None and all(named)

    def mistakable(
        self, assistant: str, asked: str, group: str, rang: Collection[str]
    ) -> list[str]:
        """The :meth:`alike` groups that other handovers of the assistant lead to."""
        others = {
            self.lands_at(h) for name, h in self.handovers(assistant).items() if name != asked
        }
        return sorted(others.intersection(self.alike(group, rang)))

    def idle_digits(self, assistant: str) -> str:
        """Digits on which that assistant does nothing, :data:`IDLE` if there are so many (RFC 4733
        section 3.2 has sixteen).

        A letter and signs are among them.
        """
        asked = self.escalation
        taken = {asked.digit, asked.goodbye_digit, asked.digits_back_digit}
        for handover in self.handovers(assistant).values():
            taken |= {handover.digit, *handover.then}
        return "".join(digit for digit in "12#A*3456789BCD0" if digit not in taken)[:IDLE]

    @property
    def api_base(self) -> str | None:
        """The base URL of the AI's interface; None without access to it."""
        return self.synthflow.api_base if self.synthflow else None

    def reached_over(self, trunk: str, line: str | None) -> Self:
        """The deployment with the AI's interface as calls have it that reach the number over that
        trunk.
        """
        assistant = self.lines[line].ai if line else None
        owners: list[ApiAccess] = [
            self.trunk(trunk),
            *([self.assistants[assistant]] if assistant else []),
        ]
        own = {
            name: value
            for owner in owners
            for name in ApiAccess.model_fields
            if (value := getattr(owner, name))
        }
        if self.synthflow is None or not own:
            return self
        return self.model_copy(update={"synthflow": self.synthflow.model_copy(update=own)})

    def interfaces(self) -> list[Self]:
        """The deployment with each of the AI's interfaces, and the assistants whose calls are asked
        for there.
        """
        found: dict[Synthflow | None, Self] = {}
        for line, trunk, _ in self.all_dids():
            reached, assistant = self.reached_over(trunk, line), self.lines[line].ai
            if assistant is not None and reached.api_base is not None:
                before = found.get(reached.synthflow)
                own = {
                    **(before.assistants if before else {}),
                    assistant: self.assistants[assistant],
                }
                found[reached.synthflow] = reached.model_copy(update={"assistants": own})
        return list(found.values()) if len(found) > 1 or self.api_base is None else [self]

    @property
    def has_api(self) -> bool:
        """Whether the AI's own interface can be asked; a simulated one's address is filled in by
        its world.
        """
        owners: tuple[ApiAccess | None, ...] = (
            self.synthflow,
            *self.trunks,
            *self.assistants.values(),
        )
        has_base = any(owner.api_base is not None for owner in owners if owner)
        return self.synthflow is not None and (self.kind == "simulated" or has_base)

    @property
    def records_calls(self) -> bool:
        """Whether the AI's own recording of each call can be fetched."""
        return self.has_api and self.synthflow is not None and self.synthflow.recording

    @property
    def names_marks(self) -> bool:
        """Whether the AI shows which marks it hears, in its record or in band. If not, it is known
        by words and speech.
        """
        return self.synthflow is not None and bool(
            {"marks", "in-band"} & set(self.synthflow.witness)
        )

    @property
    def transcript(self) -> Literal["during", "after", "none"]:
        """When a call's transcript can be read: never without access to the AI's interface, even if
        the file declares it.
        """
        return self.synthflow.transcript if self.synthflow is not None and self.has_api else "none"

    def timings_by(self, name: str) -> Timings:
        """The timings of a run; ``quick`` ones exist in a simulated deployment alone."""
        return (self.timings.quick if name == "quick" else None) or self.timings


_of_transfer = attrgetter(*Transfer.model_fields)


@cache  # a plan asks for it thousands of times
def _own_handover(
    ways: tuple[Way, ...], digit: str | None, prompt: str, same: tuple[Any, ...]
) -> Handover:
    """That of an assistant's own table; ``same`` are the fields it has in common with a named one."""
    fields = dict(zip(Transfer.model_fields, same, strict=True))
    return Handover.model_construct(ways=ways, digit=digit, prompt=prompt, **fields)
