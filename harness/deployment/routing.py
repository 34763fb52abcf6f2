"""Where calls lead: numbers, groups of agents, assistants; the AI's own interface, and how a caller
or a campaign gets it to act.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from harness.deployment.hours import Dates, Hours, Zone
from harness.deployment.values import (
    E164,
    SAY,
    SILENCE,
    Answer,
    ApiAccess,
    Behaviour,
    CallerIdMode,
    Digit,
    Digits,
    DigitsBack,
    LineOfText,
    Model,
    NumberFormat,
    OwnHeader,
    Pressed,
    Prompt,
    SecretHeaders,
    SynthflowId,
    UserCalled,
    Variable,
    Way,
    WebAddress,
    Witness,
    is_key,
    keys_of,
)
from harness.sip.identity import is_address
from harness.support.toml_model import Mistake, MistakesError

#: In which an AI that hands over tells the platform the topic.
TOPIC_HEADER: Final = "X-Gladly-Routing-Selector"
RoutedBy = Literal["language", "department", "menu"]


class Holidays(Model):
    """A calendar that numbers share."""

    #: The dates and their times, as in ``hours``: ``2026-12-24 08:00-12:00, 2026-12-25 to
    #: 2027-01-01 closed``.
    dates: Dates


class Opening(Model):
    """When calls are taken, and who takes them at other times."""

    hours: Hours | None = None  #: when it is open (above); default: always
    zone: Zone | None = None  #: of its hours; default: the file's ``zone``
    holidays: str | None = None  #: the calendar whose dates count before the weekdays of its hours
    closed: str | None = None  #: the group that answers out of hours; default: a message does

    @property
    def hours_in_words(self) -> str:
        """The hours, and the name of the calendar that counts before them."""
        return f"{self.hours}" + (f"; holidays: {self.holidays}" if self.holidays else "")

    def require_hours(self) -> None:
        """Raise ``ValueError`` for keys that only hours give a meaning."""
        if (
            key := "closed" if self.closed else "holidays" if self.holidays else ""
        ) and not self.hours:
            raise ValueError(
                f"{key}: it is never closed; allowed: {key} with hours beside it, e.g. mon-fri 08:00-18:00"
            )


class Destination(Opening):
    """Where calls lead, and what happens on the way there."""

    assistant: str | None = None  #: where its calls lead
    group: str | None = None  #: where its calls lead, if people take them, or take them first
    overflow: str | None = (
        None  #: the assistant that takes a call which no agent of ``group`` takes
    )
    #: How long the platform speaks after the last menu; it must be heard.
    notice_s: float = Field(0.0, ge=0, le=120)
    #: With ``silence`` in ``press``: how long the last menu speaks and waits until it goes on by
    #: itself; default: 10.
    silence_s: float | None = Field(None, gt=0, le=120)
    #: With ``say-NAME`` in ``press``: what the caller says in the last menu.
    say: Prompt | None = None
    routed_by: RoutedBy | None = None  #: the routing rule that leads to this assistant
    fallback: str | None = None  #: the group that takes over if the AI fails
    refer: Literal["consumed", "passed-on"] = (
        "consumed"  #: the AI's REFER: carried out by the platform, or passed on to the caller
    )
    failover: str | None = (
        None  #: the trunk that carries its calls if its own cannot, with a note (proved with ``reachable = false``)
    )
    reachable: bool = True  #: false: its trunk leads to a host that does not answer
    may_fail: bool = True  #: a stand-in may refuse calls here, to prove the fallback
    selector: LineOfText | None = None  #: the X-Gladly-Routing-Selector that it sends
    plaintext: bool = False  #: its destination lacks ``transport=tls``

    @property
    def ai(self) -> str | None:
        """The assistant that takes its calls, at once or where no agent does."""
        return self.assistant or self.overflow

    def require_one(self) -> None:
        """Raise ``ValueError`` unless calls lead to one destination."""
        if self.overflow and not self.group:
            raise ValueError("overflow: no group rings first; allowed: group beside it")
        if self.assistant and self.group:
            what = "assistant and group are both there; allowed: one of them"
            raise ValueError(
                f"{what} (fallback is the group that takes over where the AI cannot be had)"
            )
        if not self.assistant and not self.group:
            raise ValueError(
                "where it leads to is needed; allowed: assistant, or group where only people are reached"
            )


class Choice(Destination):
    """A choice of its menu, by the digits pressed."""

    trunk: str | None = None  #: over which it leads to the AI; default: the number's
    routed_by: RoutedBy | None = (
        None  #: the routing rule that leads to this assistant; default: a menu
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.require_one()
        self.require_hours()
        return self


class Line(Destination):
    """A number at the platform, and where its routing sends the call: to the AI over a trunk, or to
    people only.
    """

    did: E164 | None = None  #: its number
    #: Trunk → number, for one routing with a number on each of several trunks.
    dids: dict[str, E164] = {}
    #: Without a number: the SIP user or extension that is called, at the domain of the caller's
    #: account.
    user: UserCalled | None = None
    #: Carries ``did`` or ``user`` to the AI; may be left out if there is only one, or where only
    #: people are reached.
    trunk: str | None = None
    #: What the caller presses in menus before the AI, a digit for each level; ``silence`` at last:
    #: nothing; ``say-NAME`` at last: ``say`` is spoken.
    press: Digits | None = None
    choices: dict[Pressed, Choice] = {}
    #: How long the platform speaks first; it must be heard, and no agent or AI be
    #: called in its first half.
    announcement_s: float = Field(0.0, ge=0, le=120)
    closes_after_menu: bool = (
        False  #: its hours are those of what was pressed, as in a choice's own table
    )
    _place: tuple[str, ...] = ()

    def before_menu(self, key: str) -> object:
        """The value of a key for the time before the menu; None for hours that are the choice's
        own.
        """
        return None if self.closes_after_menu and key != "announcement_s" else getattr(self, key)

    @property
    def menu_waits_s(self) -> float:
        """How long a caller who presses nothing waits in the last menu."""
        return (self.silence_s or 10.0) if (self.press or "").endswith(SILENCE) else 0.0

    def place(self, name: str) -> tuple[str, ...]:
        """Where the file has the line of that name: a choice stands in its number's table."""
        return self._place or (name,)

    @model_validator(mode="before")
    @classmethod
    def _choices_of_each_level(cls, plain: object) -> object:
        """TOML reads ``choices.2.1`` without quotes as a table within a table."""
        if isinstance(plain, dict) and isinstance(choices := plain.get("choices"), dict):
            return {**plain, "choices": dict(_each_level(choices))}
        return plain

    @model_validator(mode="after")
    def _complete(self) -> Self:
        match [key for key in ("did", "dids", "user") if getattr(self, key)]:
            case []:
                raise ValueError(
                    "a number is needed; allowed: did, dids with a number for each trunk, or user where it has no number"
                )
            case [one, other, *_]:
                raise ValueError(f"{one} and {other} are both there; allowed: one of them")
        if self.dids and self.trunk:
            raise ValueError("dids names its trunks itself; allowed: did and trunk, or dids")
        if not self.choices:
            self.require_one()
        elif key := next(
            (key for key in ("press", "assistant", "group") if getattr(self, key)), None
        ):
            raise ValueError(
                f"{key} and choices are both there; allowed: {key} in each choice's own table"
            )
        if self.notice_s and not (self.press or self.choices):
            raise ValueError(
                "notice_s: no menu comes before it; allowed: announcement_s without a menu"
            )
        if self.silence_s and not (self.menu_waits_s or self.choices):
            raise ValueError('silence_s: a digit is pressed; allowed: press = "silence" beside it')
        speaks = (keys_of(self.press or "") or [""])[-1].startswith(SAY)
        if speaks != bool(self.say) and not self.choices:
            raise ValueError(
                "say: is needed for say-NAME in press, and there alone; allowed: a prompt, or a WAV file"
            )
        if self.closes_after_menu and not (self.press and self.hours):
            raise ValueError(
                "closes_after_menu: no menu or no hours; allowed: press and hours beside it"
            )
        self.require_hours()
        return self


def _each_level(choices: dict[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    for key, table in choices.items():
        levels = table.items() if isinstance(table, dict) else ()
        deeper = {k: v for k, v in levels if is_key(k)}
        if not deeper:
            yield f"{before}{key}", table
            continue
        assert isinstance(table, dict)
        if own := {k: v for k, v in table.items() if k not in deeper}:
            yield f"{before}{key}", own
        yield from _each_level(deeper, f"{before}{key}.")


#: How a choice's line spells the keys that ids and names have no sign for.
_KEY_NAMES: Final = {"*": "star", "#": "hash"}


def each_choice(lines: Mapping[str, Line]) -> dict[str, Line]:
    """The lines, those with choices replaced by a line for each choice: ``main press 2.1``.

    Raises :class:`MistakesError` for two of one name.
    """
    found: dict[str, Line] = {}
    for name, line in chain.from_iterable(_choices(name, line) for name, line in lines.items()):
        if found.setdefault(name, line) is not line:
            raise MistakesError(
                [(line.place(name), f"{name!r} is there twice; allowed: each choice once")]
            )
    return found


def _choices(name: str, line: Line) -> Iterator[tuple[str, Line]]:
    if not line.choices:
        yield name, line
    for pressed, choice in line.choices.items():
        place = (name, "choices", pressed)
        if choice.trunk and line.dids:
            raise MistakesError(
                [
                    (
                        (*place, "trunk"),
                        "dids names the trunks; allowed: trunk where the number has a did",
                    )
                ]
            )
        if choice.hours and line.hours:
            what = "its number has hours, too; allowed: hours of the number, or of its choices"
            raise MistakesError([((*place, "hours"), what)])
        keys = {key: getattr(choice, key) for key in choice.model_fields_set}
        keys["closes_after_menu"] = choice.hours is not None
        if choice.assistant and not line.routed_by:
            keys.setdefault("routed_by", "menu")
        made = line.model_copy(update={**keys, "press": pressed.replace(".", ""), "choices": {}})
        made._place = place
        yield name_of_choice(name, pressed), made


def name_of_choice(line: str, pressed: str) -> str:
    """The name of the line that a choice is."""
    return f"{line} press {'.'.join(_KEY_NAMES.get(key, key) for key in keys_of(pressed))}"


class Addressed(Model):
    """What calls go to by number, or by SIP user or extension."""

    did: E164 | None = None
    user: UserCalled | None = None

    @property
    def address(self) -> str | None:
        """The user of the address that calls to it name; None where it is reached by the platform's
        own routing alone.
        """
        return self.did or self.user

    def is_at(self, user: str, region: str) -> bool:
        """Whether a call to ``user``, as somebody in ``region`` writes it, goes there."""
        return self.address is not None and is_address(user, self.address, region)

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if self.did and self.user:
            raise ValueError(
                "did and user are both there; allowed: did, or user where it has no number"
            )
        return self


def _as_list(value: object) -> object:
    """TOML may have one text in the place of a list."""
    return [value] if isinstance(value, str) else value


class Group(Opening, Addressed):
    """A ring group or an agent queue: how calls reach it, and its agents with harness phones."""

    did: E164 | None = None  #: its number, if it has one
    #: Without ``did``: the SIP user or extension that calls are transferred to.
    user: UserCalled | None = None
    #: The harness phones that are logged in, in ringing order. None: others answer, and no landing
    #: is seen.
    agents: tuple[str, ...] = ()
    away: tuple[str, ...] = ()  #: agents whom the platform does not call
    #: Further agents have no harness phone: a call that reaches them is not observable, or judged
    #: by the platform's report.
    others: bool = False
    empty: bool = False  #: no agent is logged in, so a transfer to it fails
    #: The assistant that takes its calls in place of people, where ``did`` is the number of a line
    #: that leads to it: for a handover from one assistant to another.
    assistant: str | None = None
    rings: Literal["all", "batches", "one-by-one"] = (
        "all"  #: all agents at once, ``batch`` at a time, or one by one
    )
    batch: int = Field(2, ge=1)  #: how many ring at once in ``batches``
    ring_s: float = Field(30.0, gt=0, le=600)  #: how long they ring before the next do
    pause_s: float = Field(1.0, ge=0, le=60)  #: before the next ring
    #: Of the caller's number at its agents, where it is another than at other groups'
    #: (``[expect]``).
    number_format: NumberFormat | None = None
    #: How long a caller waits, with music.
    queue_s: float = Field(0.0, ge=0, le=3600)
    overflow: str | None = None  #: the group that takes a call which no agent here takes
    voicemail: bool = (
        False  #: a machine answers if no agent does, and asks for a message with a tone
    )
    announcement: bool = False  #: a machine answers if no agent does, speaks, and takes no message
    #: The header value by which the platform routes to it, or a list of several.
    topic: Annotated[tuple[LineOfText, ...], BeforeValidator(_as_list)] = ()
    shared: bool = False  #: strangers' calls land there, too; calls are distinguished by caller ID
    #: Its names in the platform's report.
    reported_as: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    @property
    def answers_itself(self) -> bool:
        """Whether a call that no agent takes is answered by a queue with music or by a machine."""
        return self.queue_s > 0 or self.has_machine

    @property
    def has_machine(self) -> bool:
        return self.voicemail or self.announcement

    @property
    def is_machine(self) -> bool:
        """Whether a machine answers every call: there is no agent whom the platform calls."""
        return (
            self.has_machine
            and not self.present
            and not self.others
            and (self.empty or bool(self.agents))
        )

    @property
    def present(self) -> tuple[str, ...]:
        """The agents whom the platform calls."""
        return tuple(agent for agent in self.agents if agent not in self.away)

    @property
    def turns(self) -> list[tuple[str, ...]]:
        """The agents who ring together, one turn after the other."""
        there = self.present
        size = {"all": len(there), "batches": self.batch, "one-by-one": 1}[self.rings]
        return [there[at : at + size] for at in range(0, len(there), max(size, 1))]

    @property
    def first_turn(self) -> tuple[str, ...]:
        """The agents who ring first; empty for an empty group."""
        return next(iter(self.turns), ())

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.assistant:
            plain = Group.model_construct(did=self.did, assistant=self.assistant)
            if more := [name for name, value in self if value != getattr(plain, name)]:
                raise ValueError(
                    f"assistant: no people take its calls, so {more[0]} means nothing; allowed: did and assistant alone"
                )
        if "batch" in self.model_fields_set and "rings" not in self.model_fields_set:
            raise ValueError(
                f'batch: {self.batch}: without rings all ring at once; allowed: rings = "batches" beside it'
            )
        if len(set(self.agents)) < len(self.agents):
            raise ValueError("agents: one is named twice; allowed: once")
        if strange := [name for name in self.away if name not in self.agents]:
            raise ValueError(
                f"away: {strange[0]!r} is no agent of the group; allowed: {', '.join(self.agents) or 'none'}"
            )
        if self.others and not self.agents:
            raise ValueError(
                "others: without agents only others answer; allowed: others = true beside agents"
            )
        if self.empty and self.present:
            raise ValueError(
                f"empty: {self.present[0]!r} is logged in; allowed: empty without agents who are present"
            )
        self.require_hours()
        return self


class Transfer(Model):
    """What an assistant does with a caller who asks for a person."""

    transfer: Literal["cold", "warm"] | None = (
        None  #: how it hands over: by REFER, or by a new call
    )
    transfer_to: str | None = None  #: the group it hands over to
    transfer_topic: LineOfText | None = None  #: the topic it sends along
    #: How long it may speak with the agent of a warm transfer before it joins the caller.
    briefing_s: float = Field(0.0, ge=0, le=120)
    #: Whose number an agent sees after a warm transfer: the assistant's, unless Synthflow's
    #: transfer action says otherwise; the caller's (``original``) needs a number of your own there.
    transfer_caller_id: CallerIdMode = "agent"
    fixed_caller_id: E164 | None = None  #: the number, if ``fixed``
    caller_id_header: OwnHeader | None = None  #: the header, if ``header``

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transfer and not self.transfer_to:
            raise ValueError(
                "transfer_to is missing; allowed: the name of the group that transfer leads to"
            )
        if self.transfer_to and not self.transfer:
            raise ValueError(
                "transfer is missing; allowed: cold or warm, as it hands over to transfer_to"
            )
        for mode, key in (("fixed", "fixed_caller_id"), ("header", "caller_id_header")):
            is_given, is_used = getattr(self, key) is not None, self.transfer_caller_id == mode
            if is_given != is_used:
                what = "not used" if is_given else "is missing"
                raise ValueError(
                    f'{key}: {what}; allowed: with transfer_caller_id = "{mode}", and only then'
                )
        return self


class Handover(Transfer):
    """One of several handovers of an assistant, by topic, each with its own way to be asked for it."""

    transfer: Literal["cold", "warm"]  #: how it hands over: by REFER, or by a new call
    transfer_to: str  #: the group it hands over to
    #: How it is asked for; each way has its own case. Default: ``digit`` and ``prompt``, if given.
    ways: tuple[Way, ...] = ()
    digit: Digit | None = None  #: the digit that asks for it
    prompt: Prompt | None = None  #: the prompt that asks for it
    #: What the caller answers when the AI asks back, in order.
    then: tuple[Answer, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _ways_there(cls, plain: object) -> object:
        if isinstance(plain, dict) and not plain.get("ways"):
            ways = [way for way in ("digit", "prompt") if plain.get(way) is not None]
            return {**plain, "ways": ways} if ways else plain
        return plain


class Assistant(Transfer, ApiAccess, Addressed):
    """One of Synthflow's assistants."""

    #: The number it answers at. It may be the number of a line that leads to it, e.g. if Synthflow
    #: has imported the platform's.
    did: E164 | None = None
    #: Without ``did``: the SIP user or extension that the platform's INVITE names.
    user: UserCalled | None = None
    #: Synthflow's id, from the agent's page; the API lists calls by it.
    model_id: SynthflowId | None = None
    voice: int | None = Field(
        None, ge=240, le=255
    )  #: its mark, if it speaks in marks, as the simulated one does
    behaviour: Behaviour = "talks"  #: what it does with calls
    handovers: dict[str, Handover] = {}

    @property
    def address(self) -> str:
        """The user of the Request-URI of its calls."""
        return str(self.did or self.user)

    @model_validator(mode="after")
    def _askable(self) -> Self:
        mistakes: list[Mistake] = []
        if not self.did and not self.user:
            mistakes.append((("did",), "is missing; allowed: did, or user where it has no number"))
        shown: list[tuple[tuple[str, ...], Transfer]] = [((), self)]
        shown += [(("handovers", name), handover) for name, handover in self.handovers.items()]
        for place, transfer in shown if self.user else []:
            if transfer.transfer == "warm" and transfer.transfer_caller_id == "agent":
                what = (
                    "an assistant without a number shows none; allowed: original, fixed or header"
                )
                mistakes.append(((*place, "transfer_caller_id"), what))
        for name, handover in self.handovers.items():
            place = ("handovers", name)
            if not name:
                mistakes.append((place, "has no name; allowed: one of your own choosing"))
            if not handover.ways:
                what = 'how is it asked for? allowed: digit, prompt, or ways = ["silence"]'
                mistakes.append((place, what))
            if len(set(handover.ways)) < len(handover.ways):
                mistakes.append(((*place, "ways"), "one is named twice; allowed: once"))
            for way in ("digit", "prompt"):
                if way in handover.ways and getattr(handover, way) is None:
                    mistakes.append(
                        ((*place, way), f"is missing; allowed: a {way}, since ways has it")
                    )
            if handover.then and "silence" in handover.ways:
                mistakes.append(
                    (
                        (*place, "then"),
                        "nothing is said before it by silence; allowed: digit or prompt",
                    )
                )
        if mistakes:
            raise MistakesError(mistakes)
        return self


class Synthflow(ApiAccess):
    """Synthflow's own interface: what it can say of its calls."""

    ca_file: str | None = None  #: CA certificates (PEM); default: the system's
    witness: tuple[Witness, ...] = ("record",)  #: what it shows of a call; a real one its record
    timeout_s: float = Field(5.0, gt=0)  #: limit of one request
    poll_s: float = Field(1.0, gt=0)  #: between two requests for a record
    transcript: Literal["during", "after", "none"] = (
        "after"  #: when a call's transcript can be read
    )
    transcript_within_s: float = Field(
        30.0, gt=0
    )  #: how long after the call's end the transcript may come
    lag_s: float = Field(5.0, ge=0)  #: how late a record may show what has happened
    rtcp: Literal["end-to-end", "by-hop"] = (
        "end-to-end"  #: whose RTCP reports callers get: the AI's, or a platform's
    )
    recording: bool = False  #: fetch the AI's recording of each call, which proves who was heard
    recording_within_s: float = Field(
        60.0, gt=0
    )  #: how long after the call's end the recording may come
    prepare: bool = (
        False  #: request an id for each call (prepare_inbound), sent as X-EI, to find its record
    )
    shared: bool = False  #: other people call the assistants, too; leave their calls alone

    @field_validator("witness", mode="before")
    @classmethod
    def _one_spelling(cls, witness: object) -> object:
        if isinstance(witness, list) and "recording" in witness:
            raise ValueError("'recording' is a key of its own; allowed: recording = true")
        return witness

    @property
    def testimony(self) -> frozenset[Witness]:
        """What its records have beyond the documented fields."""
        return frozenset(self.witness) - {"record"}

    @property
    def record_lag_s(self) -> float:
        """``lag_s`` if the AI gives only records, else 0: a far end's witness has its own times."""
        return 0.0 if self.testimony else self.lag_s


class WitnessFiles(Model):
    """Recordings and captures that others make of the calls (docs/witnesses.md), read when the
    cases of a run are over.
    """

    #: A folder of them, beside this file; what is older than an hour before the run is passed over.
    directory: str | None = Field(None, min_length=1)
    #: A program that brings them, and its arguments; run without a shell in an empty folder, which
    #: is read then.
    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    command_within_s: float = Field(120.0, gt=0, le=3600)  #: limit of the command
    environment: tuple[
        Variable, ...
    ] = ()  #: variables that it gets; of others it gets PATH, HOME and LANG alone
    #: Who makes the recordings. Only the AI's own prove what the AI heard.
    made_at: Literal["ai", "platform"] = "platform"


class Escalation(Model):
    """How a caller asks the AI for a person, and for other things that rows need."""

    #: How a caller asks for a person; each way has its own case.
    ways: tuple[Way, ...] = ("digit",)
    digit: Digit | None = None  #: the digit that asks for a person
    prompt: Prompt = "agent-please-en"  #: the prompt that asks for a person
    silence_s: float = Field(30.0, gt=0)  #: how long a caller says nothing before it hands over
    attempts: int = Field(1, ge=1, le=5)  #: how often it is asked
    retry_after_s: float = Field(8.0, gt=0)  #: how long nothing may happen before it is asked again
    goodbye_digit: Digit | None = None  #: the digit on which the AI hangs up
    digits_back_digit: Digit | None = None  #: the digit on which the AI sends digits
    digits_back: DigitsBack | None = None  #: the digits that it sends


class Campaign(SecretHeaders):
    """How a campaign's call is started."""

    trigger: Literal["http", "manual"] = "manual"  #: started by a request, or by a person
    manual_within_s: float = Field(180.0, gt=0)  #: how long a person may take
    #: How long a queued request may take until the platform calls, besides ``expect.patience_s``.
    calls_within_s: float = Field(0.0, ge=0, le=600)
    url: WebAddress | None = (
        None  #: the request's; ``{line}`` and ``{customer}`` stand for their numbers
    )
    method: Literal["GET", "POST", "PUT"] = "POST"  #: the request's; a GET has no body
    #: the request's; ``{line}`` and ``{customer}`` as in ``url``
    body: str = '{"from": "{line}", "to": "{customer}"}'
    #: The line whose number customers see, or a list of those of several campaigns.
    line: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    #: Line → the platform's id of its campaign, for ``{campaign}`` in ``url`` and ``body``.
    ids: dict[str, SynthflowId] = {}
    customer: str | None = (
        None  #: the harness phone that it calls; default: the first one that calls
    )

    @model_validator(mode="after")
    def _each_is_named(self) -> Self:
        if strange := [name for name in self.ids if name not in self.line]:
            raise ValueError(
                f"ids: {strange[0]!r} is no line of a campaign; allowed: those of line"
            )
        asked = "{campaign}" in f"{self.url} {self.body}"
        if asked and (left := [name for name in self.line if name not in self.ids]):
            raise ValueError(
                f"ids: {left[0]!r} is missing; allowed: an id for each line, since the request has {{campaign}}"
            )
        return self
