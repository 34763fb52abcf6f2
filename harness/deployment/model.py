"""The whole file: :class:`Deployment`, and what its tables say of each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Self
from unicodedata import category

from pydantic import Field, model_validator

from harness.deployment.ai import Campaign, Escalation, Synthflow
from harness.deployment.hours import Zone, is_open, planned_at
from harness.deployment.network import Account, PhoneEntry, Platform, StandIn, Trunk
from harness.deployment.report import plain_name
from harness.deployment.routing import Assistant, Group, Handover, Line, Transfer
from harness.deployment.terms import Axes, DeclaredTimings, Expectations, ExtraNumbers, Limits, Manners, Safety, Timings
from harness.deployment.values import OWN_PHONES, LineOfText, Model, Region, SiteName, Way
from harness.model_words import nearest
from harness.sip.identity import has_national_form, region_of
from harness.toml_model import Mistake, MistakesError

#: How many digits prove DTMF.
IDLE = 5

#: Names that a line lists.
_MOST_NAMED = 20
#: Tables whose entries have names of the user's.
_NAMED = ("lines", "groups", "assistants", "accounts", "phones")


class Deployment(Model):
    """One customer's set-up, checked."""

    name: str = Field(min_length=1)  #: of this deployment; part of each case's id
    integration: str  #: the platform's, by its entry point's name: ``talkdesk``, ``gladly``, ``generic``
    #: Who plays platform and AI: the world, a phone of ours for the AI, nobody.
    kind: Literal["simulated", "stand-in", "live"]
    #: How national numbers are read, and whose numbers may be called (two letters).
    region: Region = "US"
    #: Whose results these are; part of a case's identity in Allure, so no name that changes, as a container's does.
    site: SiteName = "local"
    zone: Zone | None = None  #: by whose clocks hours are meant, e.g. ``Europe/Berlin``
    platform: Platform
    axes: Axes = Axes()
    timings: DeclaredTimings = DeclaredTimings()
    #: Which numbers prove a row: one for each cell of its axes (``once``); every number for the rows of inbound calls and of
    #: people, and for the others one for each assistant and way in (``every-number``); every number that can prove it (``full``).
    depth: Literal["once", "every-number", "full"] = "every-number"
    #: Rows that must be run, ``documented`` for all of the guide's; a missing one fails the run.
    require: tuple[str, ...] = ()
    trunks: tuple[Trunk, ...]
    lines: dict[str, Line]
    #: A spreadsheet of lines, a CSV file beside this one (above): reading the file reads it into ``lines``.
    numbers_csv: str | None = None
    #: Columns of that spreadsheet that are passed over, whatever they are called.
    numbers_ignore: tuple[str, ...] = ()
    numbers: ExtraNumbers = ExtraNumbers()
    groups: dict[str, Group] = {}
    assistants: dict[str, Assistant]
    synthflow: Synthflow | None = None
    stand_in: StandIn = StandIn()
    escalation: Escalation = Escalation()
    campaign: Campaign | None = None
    accounts: dict[str, Account]
    phones: dict[str, PhoneEntry]
    expect: Expectations = Expectations()
    manners: Manners = Manners()
    leave_out: dict[str, LineOfText] = {}  #: row → why it means nothing in this deployment
    limits: Limits = Limits()
    safety: Safety = Safety()
    #: Calls from addresses that this file does not name; "answer": for labs.
    strangers: Literal["refuse", "answer"] = "refuse"
    ca_file: str | None = None  #: whom the harness trusts where SIP runs over TLS; none means the system's own list
    #: How the simulated world behaves where a platform would not tell (docs/simulation.md); it alone reads this.
    simulated: dict[str, Any] = {}

    def trunk(self, name: str) -> Trunk:
        """The trunk of that name. Raises ``KeyError``."""
        for trunk in self.trunks:
            if trunk.name == name:
                return trunk
        raise KeyError(name)

    def numbers_of_line(self, line: str) -> Mapping[str, str]:
        """Trunk name → number of every number that ``line`` has."""
        entry = self.lines[line]
        return {entry.trunk or self.trunks[0].name: entry.did} if entry.did else entry.dids

    def did(self, line: str, trunk: str) -> str:
        """The number that reaches ``line`` over ``trunk``. Raises ``KeyError`` where the trunk does not carry it."""
        return self.numbers_of_line(line)[trunk]

    def all_dids(self) -> Iterator[tuple[str, str, str]]:
        """(line, trunk name, number) of every number at the platform."""
        for line in self.lines:
            for trunk, number in self.numbers_of_line(line).items():
                yield line, trunk, number

    def is_open(self, line: str, at: datetime | None = None) -> bool:
        """Whether a number is within its hours ``at`` that moment; by default the one the run's plan is made for."""
        entry = self.lines[line]
        zone = entry.zone or self.zone
        return entry.hours is None or zone is None or is_open(entry.hours, zone, at or planned_at())

    @property
    def group_called(self) -> str | None:
        """The group that calls from the AI's side go to: the first with agents that can be called; None where none can."""
        return next((name for name, group in self.groups.items() if group.present and group.address), None)

    def is_reported(self, group: str) -> bool:
        """Whether a landing in ``group`` is seen by the platform's report: others answer there, and it names the group."""
        entry = self.groups[group]
        return self.platform.report is not None and bool(entry.reported_as) and not entry.agents and not entry.empty

    @property
    def callers(self) -> list[str]:
        """The test phones that call: every one that is no agent, and not the campaign's customer, unless there is no other.

        Where any of them has a number, those that have none are left out: a SIP user at the platform is no outside caller.
        Of those with one address of record only the first: the others would show the same number in From.
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

    def address_of_record(self, phone: str) -> tuple[str, str]:
        """Its user, and its domain where the account is known."""
        entry = self.phones[phone]
        account = self.accounts.get(entry.account)
        return entry.aor_user, account.domain.lower() if account is not None else ""

    def region_at(self, phone: str) -> str:
        """The region in whose national form the phone is told numbers, and dials them: a telephone's own network reads them."""
        number = self.phones[phone].number if phone in self.phones else None
        if number is None or has_national_form(number, self.region):
            return self.region
        return region_of(number, self.region)

    @property
    def customer(self) -> str:
        """The test phone that a campaign calls."""
        return (self.campaign.customer if self.campaign else None) or self.callers[0]

    def models(self, number: str | None = None) -> tuple[str, ...]:
        """Synthflow's ids of the assistants, or of those that answer at ``number``; none where its API lists all alike."""
        wanted = (a for a in self.assistants.values() if number in (None, a.did))
        return tuple(dict.fromkeys(a.model_id for a in wanted if a.model_id is not None))

    def handovers(self, assistant: str) -> dict[str, Handover]:
        """How that assistant hands over, by name: first as its own table says, under no name, for which ``escalation`` asks."""
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
        return self.assistants[assistant].handovers.get(name) if name else self._own_handover(assistant)

    def handovers_made(self, assistant: str, number: str, topic: str | None, *, shows_topic: bool) -> list[str]:
        """The handovers of that assistant that a transfer to ``number`` may be; ``topic`` tells more only where it is shown."""
        return [
            name
            for name, handover in self.handovers(assistant).items()
            if self.groups[str(handover.transfer_to)].is_at(number, self.region)
            and (not shows_topic or handover.transfer_topic == topic)
        ]

    def lands_at(self, handover: Handover) -> str:
        """The group that it leads to: by its topic, where a group has that, else by its number."""
        by_topic = (n for n, g in self.groups.items() if g.topic is not None and g.topic == handover.transfer_topic)
        return next(by_topic, str(handover.transfer_to))

    def alike(self, group: str, rang: Collection[str]) -> list[str]:
        """The other groups for which nobody would have rung but those of its people who ``rang``.

        Where one of them rings at first somebody who is not in ``group``, it is seen that it rang.
        """
        present = set(self.groups[group].present)
        others = ((name, set(g.first_turn), set(g.present)) for name, g in self.groups.items() if name != group)
        return [name for name, first, there in others if first and first <= present and set(rang) <= there]

    def mistakable(self, assistant: str, asked: str, group: str, rang: Collection[str]) -> list[str]:
        """Those of them that another of its handovers than ``asked`` leads to."""
        others = {self.lands_at(h) for name, h in self.handovers(assistant).items() if name != asked}
        return sorted(others.intersection(self.alike(group, rang)))

    def idle_digits(self, assistant: str) -> str:
        """Digits on which that assistant does nothing, :data:`IDLE` if there are so many (RFC 4733 section 3.2 has sixteen).

        A letter and signs are among them.
        """
        asked = self.escalation
        taken = {asked.digit, asked.goodbye_digit, asked.digits_back_digit}
        for handover in self.handovers(assistant).values():
            taken |= {handover.digit, *handover.then}
        return "".join(digit for digit in "12#A*3456789BCD0" if digit not in taken)[:IDLE]

    @property
    def api_base(self) -> str | None:
        """Where the AI's own interface is; None where nobody has access to it."""
        return self.synthflow.api_base if self.synthflow else None

    @property
    def has_api(self) -> bool:
        """Whether the AI's own interface can be asked; a simulated one's address is filled in by its world."""
        return self.synthflow is not None and (self.kind == "simulated" or self.api_base is not None)

    @property
    def transcript(self) -> Literal["during", "after", "none"]:
        """When a call's transcript can be read: never where nobody has access to the AI's interface, whatever is said of it."""
        return self.synthflow.transcript if self.synthflow is not None and self.has_api else "none"

    def timings_by(self, name: str) -> Timings:
        """The timings of a run; ``quick`` ones exist in a simulated deployment alone."""
        return (self.timings.quick if name == "quick" else None) or self.timings

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        mistakes: list[Mistake] = []

        def known(name: str | None, table: Mapping[str, object], what: str, *place: str) -> None:
            if name is not None and name not in table:
                mistakes.append(
                    (place, f"no {what} is called {name!r}{nearest(name, table)}; allowed: {_named(table)}")
                )

        trunks = {trunk.name: trunk for trunk in self.trunks}
        for key, line in self.lines.items():
            known(line.assistant, self.assistants, "assistant", "lines", key, "assistant")
            known(line.group, self.groups, "group", "lines", key, "group")
            known(line.fallback, self.groups, "group", "lines", key, "fallback")
            known(line.closed, self.groups, "group", "lines", key, "closed")
            known(line.trunk, trunks, "trunk", "lines", key, "trunk")
            if line.hours and not (line.zone or self.zone):
                what = 'by whose clocks? allowed: zone = "Europe/Berlin" or the like beside'
                mistakes.append((("lines", key, "hours"), what))
            for trunk in line.dids:
                known(trunk, trunks, "trunk", "lines", key, "dids", trunk)
            if line.did and line.trunk is None and len(trunks) > 1:
                what = f"is missing: several trunks; allowed: {', '.join(trunks)}"
                mistakes.append((("lines", key, "trunk"), what))
        for key, group in self.groups.items():
            for agent in group.agents:
                known(agent, self.phones, "phone", "groups", key, "agents")
        for key, assistant in self.assistants.items():
            known(assistant.transfer_to, self.groups, "group", "assistants", key, "transfer_to")
            for name, handover in assistant.handovers.items():
                known(handover.transfer_to, self.groups, "group", "assistants", key, "handovers", name, "transfer_to")
            if assistant.model_id is None and self.models():
                what = "is missing, though others have one; allowed: an id for each, or for none"
                mistakes.append((("assistants", key, "model_id"), what))
        for key, phone in self.phones.items():
            known(phone.account, self.accounts, "account", "phones", key, "account")
        if self.campaign is not None:
            known(self.campaign.line, self.lines, "line", "campaign", "line")
            known(self.campaign.customer, self.phones, "phone", "campaign", "customer")
        if self.timings.quick is not None and self.kind != "simulated":
            what = "real timings cannot be scaled; allowed: in a simulated deployment"
            mistakes.append((("timings", "quick"), what))
        mistakes += [*self._trunks_alike(), *self._shared_numbers(), *self._shared_topics(), *self._report_names()]
        mistakes += [each for name in self.assistants for each in self._asked_twice(name)]
        mistakes += self._digits_of_two_meanings()
        mistakes += [*self._phones_that_nobody_can_call(), *self._groups_that_nobody_can_call()]
        mistakes += self._calls_that_nobody_tells_apart()
        if mistakes:
            raise MistakesError(mistakes)
        return self

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> Self:
        if self.kind == "stand-in" and all(trunk.ai == "synthflow" for trunk in self.trunks):
            what = (
                'no trunk has a phone of ours in the AI\'s place; allowed: ai = "stand-in" at a trunk, or kind = "live"'
            )
            raise MistakesError([(("kind",), what)])
        if unprintable := list(self._unprintable_names()):
            raise MistakesError(unprintable)
        if nameless := [table for table in _NAMED if any(not name.strip() for name in getattr(self, table))]:
            raise MistakesError([((table,), "one has no name; allowed: a name for each") for table in nameless])
        if taken := OWN_PHONES & self.phones.keys():
            what = "a phone that the harness makes for itself is called so; allowed: another name"
            raise MistakesError([(("phones", name), what) for name in sorted(taken)])
        return self

    def _unprintable_names(self) -> Iterator[Mistake]:
        """Names stand in ids and in lines of text, which they must not break."""
        names = [(("name",), self.name), *((("trunks", trunk.name), trunk.name) for trunk in self.trunks)]
        for table in _NAMED:
            names += [((table, name), name) for name in getattr(self, table)]
        for key, assistant in self.assistants.items():
            names += [(("assistants", key, "handovers", name), name) for name in assistant.handovers]
        for place, name in names:
            if any(category(character) in ("Cc", "Zl", "Zp") for character in name):
                yield place, f"{name!r}: a line break or another control character; allowed: a name in one line"

    def _trunks_alike(self) -> Iterator[Mistake]:
        if not self.trunks:
            yield ("trunks",), "none is there; allowed: one at least"
        if len({trunk.name for trunk in self.trunks}) != len(self.trunks):
            yield ("trunks",), "two trunks have one name; allowed: a name of its own for each"

    def _report_names(self) -> Iterator[Mistake]:
        report, most = self.platform.report, self.limits.seconds_per_call
        if report is not None and report.stay_s >= most:
            what = f"{report.stay_s:g}: a call may last {most:g} s; allowed: less than limits.seconds_per_call"
            yield ("platform", "report", "stay_s"), what
        # a name that is passed over is no group's, so that no landing there would ever be seen
        owners = {plain_name(name): "platform.report.ignore" for name in (report.ignore if report else ())}
        for key, group in self.groups.items():
            if group.reported_as and self.platform.report is None:
                what = "no report is there to name it; allowed: platform.report beside it"
                yield ("groups", key, "reported_as"), what
            where = f"groups.{key}"
            for name in group.reported_as:
                if (owner := owners.setdefault(plain_name(name), where)) != where:
                    what = f"{name!r} is already {owner}; allowed: a name of its own for each group"
                    yield ("groups", key, "reported_as"), what

    def _digits_of_two_meanings(self) -> Iterator[Mistake]:
        """What a row presses has the AI do one thing."""
        keys = ["goodbye_digit", "digits_back_digit"]
        if any(assistant.transfer is not None for assistant in self.assistants.values()):
            keys.insert(0, "digit")  # else nobody is asked by it
        owners: dict[str, str] = {}
        for key in keys:
            digit = getattr(self.escalation, key)
            if digit is not None and (owner := owners.setdefault(digit, key)) != key:
                what = f"{digit} is already escalation.{owner}; allowed: a digit of its own for each"
                yield ("escalation", key), what

    def _asked_twice(self, assistant: str) -> Iterator[Mistake]:
        """What asks an assistant for one of its handovers, and for something else as well."""
        entry, asked = self.assistants[assistant], self.escalation
        means: dict[tuple[str, ...], str] = {("digit", str(asked.goodbye_digit)): "escalation.goodbye_digit"}
        means["digit", str(asked.digits_back_digit)] = "escalation.digits_back_digit"
        if entry.transfer is not None:
            means["digit", str(asked.digit)] = "escalation.digit"
            means |= {(way, str(asked.prompt)): f"escalation.{way}" for way in asked.ways if way == "prompt"}
            means |= {(way, ""): "escalation.ways" for way in asked.ways if way == "silence"}
        for name, handover in entry.handovers.items():
            place = ("assistants", assistant, "handovers", name)
            said = [(way, getattr(handover, way)) for way in ("digit", "prompt")]
            said += [(way, "") for way in handover.ways if way == "silence"]
            for way, value in said:
                if value is None:
                    continue
                key, whole = "ways" if way == "silence" else way, (way, value, *handover.then)
                # what begins as another does is that one, as soon as it has been said
                alike = (where for one, where in means.items() if one[: len(whole)] == whole[: len(one)])
                if (other := next(alike, None)) is not None:
                    yield (*place, key), f"{value or way} is already {other}; allowed: one of its own for each handover"
                else:
                    means[whole] = f"{'.'.join(place)}.{key}"

    def _phones_that_nobody_can_call(self) -> Iterator[Mistake]:
        """A phone of ours has no port of its own that others could know: where it does not register, no call comes to it."""
        called: list[tuple[str, tuple[str, ...]]] = [
            (agent, ("groups", key, "agents")) for key, group in self.groups.items() for agent in group.agents
        ]
        if self.campaign is not None and self.callers:
            called.append((self.customer, ("campaign", "customer")))
        yield from self._phones_called_as_one({name for name, _ in called})
        for name, place in called:
            account = self.accounts.get(self.phones[name].account) if name in self.phones else None
            if account is not None and not account.register_:
                what = f"{name} cannot be called: accounts.{self.phones[name].account} has register = false"
                yield place, f"{what}; allowed: a phone of an account that registers"

    def _phones_called_as_one(self, called: Collection[str]) -> Iterator[Mistake]:
        """A call to an address of record goes to all who are registered for it (RFC 3261 section 10.2), whichever is meant."""
        owners: dict[tuple[str, str], str] = {}
        for name, phone in self.phones.items():
            account = self.accounts.get(phone.account)
            if account is None:
                continue
            owner = owners.setdefault(self.address_of_record(name), name)
            if owner != name and {owner, name} & set(called):
                what = f"{phone.aor_user} at {account.domain} is phones.{owner}, too, so that a call to one rings both"
                yield ("phones", name), f"{what}; allowed: a user of its own for each phone that is called"

    def _groups_that_nobody_can_call(self) -> Iterator[Mistake]:
        for key, assistant in self.assistants.items():
            own = assistant.transfer_to if assistant.transfer else None
            targets: dict[tuple[str, ...], str | None] = {("assistants", key, "transfer_to"): own}
            for name, handover in assistant.handovers.items():
                targets["assistants", key, "handovers", name, "transfer_to"] = handover.transfer_to
            for place, to in targets.items():
                if to in self.groups and self.groups[to].address is None:
                    yield place, f"groups.{to} has no did and no user to transfer to; allowed: a group with one of them"

    def _calls_that_nobody_tells_apart(self) -> Iterator[Mistake]:
        """Where strangers call, too, ours are told by the number that they show."""
        for key, group in self.groups.items():
            for name in group.present if group.shared else ():
                phone = self.phones.get(name)
                if phone is not None and phone.number and phone.shows != "original":
                    what = f"at {name}, whose telephone shows = {phone.shows}, no call of ours is told from strangers'"
                    yield ("groups", key, "shared"), f"{what}; allowed: shared where it shows the caller's number"

    def _shared_topics(self) -> Iterator[Mistake]:
        """A topic leads to one group, as a number does."""
        owners: dict[str, str] = {}
        for key, group in self.groups.items():
            if group.topic is not None and (owner := owners.setdefault(group.topic, key)) != key:
                what = f"{group.topic!r} is already groups.{owner}.topic; allowed: a topic of its own for each group"
                yield ("groups", key, "topic"), what

    def _shared_numbers(self) -> Iterator[Mistake]:
        owners: dict[str, tuple[str, ...]] = {}
        roles: list[tuple[tuple[str, ...], str]] = [
            *(
                (("lines", key, *place), did)
                for key, line in self.lines.items()
                for place, did in ((("did",), line.did), *((("dids", trunk), did) for trunk, did in line.dids.items()))
                if did
            ),
            *((("groups", key, "did"), group.did) for key, group in self.groups.items() if group.did),
            *((("groups", key, "user"), group.user) for key, group in self.groups.items() if group.user),
            *((("assistants", key, "did"), assistant.did) for key, assistant in self.assistants.items()),
            *(
                (("phones", key, "number"), phone.number)
                for key, phone in self.phones.items()
                # a group may be one telephone, to which the AI transfers directly
                if phone.number and not any(g.did == phone.number and g.agents == (key,) for g in self.groups.values())
            ),
        ]
        if self.numbers.no_such_number:
            roles.append((("numbers", "no_such_number"), self.numbers.no_such_number))
        for place, number in roles:
            owner = owners.setdefault(number, place)
            line = self.lines[owner[1]] if owner[0] == "lines" else None
            # a number that leads to people only may be their group's own
            if owner is place or (line is not None and place[0] == "groups" and line.group == place[1]):
                continue
            is_menu = line is not None and place[0] == "lines" and (line.press or self.lines[place[1]].press)
            what = "one choice of the menu for each number" if is_menu else "a number of its own for each role"
            yield place, f"{number} is already {'.'.join(owner)}; allowed: {what}"


def _named(table: Mapping[str, object]) -> str:
    """The names that are there, some of them where there are very many."""
    names = list(table)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more or "none is defined"


_of_transfer = attrgetter(*Transfer.model_fields)


@cache  # a plan asks for it thousands of times
def _own_handover(ways: tuple[Way, ...], digit: str | None, prompt: str, same: tuple[Any, ...]) -> Handover:
    """That of an assistant's own table; ``same`` are the fields it has in common with a named one."""
    fields = dict(zip(Transfer.model_fields, same, strict=True))
    return Handover.model_construct(ways=ways, digit=digit, prompt=prompt, **fields)


def from_plain(plain: dict[str, Any]) -> Deployment:
    """A filled-in deployment from the data the world printed (or :func:`to_plain` made)."""
    return Deployment.model_validate(plain)


def to_plain(deployment: Deployment) -> dict[str, Any]:
    """JSON-ready data with its secrets, for the pipe to another process of this run; never for a file."""
    return deployment.model_dump(mode="json", by_alias=True, exclude_none=True)
