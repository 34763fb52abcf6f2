"""Where calls lead: numbers, groups of agents, assistants."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from harness.deployment.hours import Hours, Zone
from harness.deployment.values import (
    E164,
    Answer,
    Behaviour,
    CallerIdMode,
    Digit,
    Digits,
    LineOfText,
    Model,
    OwnHeader,
    Prompt,
    SynthflowId,
    User,
    Way,
)
from harness.sip.identity import is_spelling
from harness.toml_model import Mistake, MistakesError

#: In which an AI that hands over tells the platform the topic.
TOPIC_HEADER: Final = "X-Gladly-Routing-Selector"
RoutedBy = Literal["language", "department", "menu"]


class Line(Model):
    """A number at the platform, and where its routing sends the call: to the AI over a trunk, or to people only."""

    did: E164 | None = None  #: the number, where it is one
    #: Trunk → number, for one routing that has a number of its own on each of several trunks.
    dids: dict[str, E164] = {}
    trunk: str | None = None  #: the trunk that carries ``did``; may be left out where there is only one
    assistant: str | None = None  #: the assistant the call is meant for
    group: str | None = None  #: the group the call is meant for, where it must never reach the AI
    press: Digits | None = None  #: what the caller presses in the menus before the AI, a digit for each level
    announcement_s: float = Field(0.0, ge=0, le=120)  #: how long the platform speaks before anybody else does
    routed_by: RoutedBy | None = None  #: by which routing rule calls come to this assistant and no other
    fallback: str | None = None  #: the group that takes over when the AI cannot be had
    refer: Literal["consumed", "passed-on"] = "consumed"  #: what the platform does with the AI's REFER
    reachable: bool = True  #: false: the trunk of this line leads to a host that does not answer
    may_fail: bool = True  #: whether a stand-in may refuse calls here, to prove the fallback
    selector: LineOfText | None = None  #: the X-Gladly-Routing-Selector this line sends
    plaintext: bool = False  #: the destination lacks transport=tls
    hours: Hours | None = None  #: when it is open, e.g. ``mon-fri 08:00-18:00, 2026-12-25 closed``; none: always
    zone: Zone | None = None  #: by whose clocks, e.g. ``Europe/Berlin``; none: by the file's own ``zone``
    closed: str | None = None  #: the group that answers out of hours; a message does where none is named

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.did and self.dids:
            raise ValueError("did and dids are both there; allowed: one of them")
        if not self.did and not self.dids:
            raise ValueError("a number is needed; allowed: did, or dids with a number for each trunk")
        if self.dids and self.trunk:
            raise ValueError("dids names its trunks itself; allowed: did and trunk, or dids")
        if self.assistant and self.group:
            what = "assistant and group are both there; allowed: one of them"
            raise ValueError(f"{what} (fallback is the group that takes over where the AI cannot be had)")
        if not self.assistant and not self.group:
            raise ValueError("where it leads to is needed; allowed: assistant, or group where only people are reached")
        if self.closed and not self.hours:
            raise ValueError(
                "closed: it is never closed; allowed: closed with hours beside it, e.g. mon-fri 08:00-18:00"
            )
        return self


class Group(Model):
    """A ring group, or an agent queue: what reaches it, and the people in it who have phones of ours."""

    did: E164 | None = None  #: the number that reaches it; none where it has no number of its own
    #: Without ``did``: the user of the SIP address that calls are transferred to, as an extension; none: numbers alone lead to it.
    user: User | None = None
    #: The phones of ours that are logged in, in the order in which they ring. None: others answer, and no landing is seen.
    agents: tuple[str, ...] = ()
    away: tuple[str, ...] = ()  #: those of the agents whom the platform does not call, though they have a phone
    empty: bool = False  #: nobody at all is logged in, so that a transfer to it fails
    rings: Literal["all", "batches", "one-by-one"] = "all"  #: all agents at once, so many at a time, or in turns
    batch: int = Field(2, ge=1)  #: how many ring at once in ``batches``
    ring_s: float = Field(30.0, gt=0, le=600)  #: for how long they ring before the next do
    pause_s: float = Field(1.0, ge=0, le=60)  #: before the next ring
    #: For how long a caller waits, with music, until somebody takes the call.
    queue_s: float = Field(0.0, ge=0, le=3600)
    voicemail: bool = False  #: whether a machine answers when nobody does
    topic: LineOfText | None = None  #: by which the platform routes to it, in a header
    shared: bool = False  #: whether strangers' calls land there, too; ours are told by their number
    #: What the platform's report calls it, in any of these names: by the report a landing is seen where no agent has a phone of ours.
    reported_as: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    @property
    def address(self) -> str | None:
        """The user of the address that calls to it name; None where it is reached by the platform's own routing alone."""
        return self.did or self.user

    def is_at(self, user: str, region: str) -> bool:
        """Whether a call to ``user``, as somebody in ``region`` writes it, is one to the group."""
        return is_spelling(user, self.did, region) if self.did else user == self.user

    @property
    def answers_itself(self) -> bool:
        """Whether a call that nobody takes is answered all the same: by its queue, with music, or by its machine."""
        return self.queue_s > 0 or self.voicemail

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
        """The agents who ring at first; none where nobody is there."""
        return next(iter(self.turns), ())

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.did and self.user:
            raise ValueError("did and user are both there; allowed: did, or user where it has no number")
        if self.user and self.user.startswith("+"):
            raise ValueError(f"user: {self.user!r} is a number; allowed: did for it")
        if len(set(self.agents)) < len(self.agents):
            raise ValueError("agents: one is named twice; allowed: once")
        if strange := [name for name in self.away if name not in self.agents]:
            raise ValueError(
                f"away: {strange[0]!r} is no agent of the group; allowed: {', '.join(self.agents) or 'none'}"
            )
        if self.empty and self.present:
            raise ValueError(f"empty: {self.present[0]!r} is logged in; allowed: empty without agents who are present")
        return self


class Transfer(Model):
    """What an assistant does with a caller who asks for a person."""

    transfer: Literal["cold", "warm"] | None = None  #: how it hands over: by REFER, or by a new call of its own
    transfer_to: str | None = None  #: the group it hands over to
    transfer_topic: LineOfText | None = None  #: the topic it sends along
    #: For how long it may speak with the agent of a warm transfer before it joins the caller.
    briefing_s: float = Field(0.0, ge=0, le=120)
    #: Whose number an agent sees after a warm transfer. Synthflow's transfer action has to be set to it: by itself it shows ``agent``,
    #: the assistant's own.
    transfer_caller_id: CallerIdMode = "original"
    fixed_caller_id: E164 | None = None  #: that number, where it is always the same
    caller_id_header: OwnHeader | None = None  #: the header it is taken from

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transfer and not self.transfer_to:
            raise ValueError("transfer_to is missing; allowed: the name of the group that transfer leads to")
        if self.transfer_to and not self.transfer:
            raise ValueError("transfer is missing; allowed: cold or warm, as it hands over to transfer_to")
        if self.transfer_caller_id == "fixed" and not self.fixed_caller_id:
            raise ValueError('fixed_caller_id is missing; allowed: the number that transfer_caller_id = "fixed" shows')
        if self.transfer_caller_id == "header" and not self.caller_id_header:
            raise ValueError(
                'caller_id_header is missing; allowed: the header of transfer_caller_id = "header", as X-Show-Number'
            )
        if self.fixed_caller_id and self.transfer_caller_id != "fixed":
            raise ValueError('fixed_caller_id: nobody is shown it; allowed: with transfer_caller_id = "fixed"')
        if self.caller_id_header and self.transfer_caller_id != "header":
            raise ValueError('caller_id_header: nobody reads it; allowed: with transfer_caller_id = "header"')
        return self


class Handover(Transfer):
    """One of several handovers of an assistant, by topic, each with its own way to be asked for it."""

    transfer: Literal["cold", "warm"]  #: how it hands over: by REFER, or by a new call of its own
    transfer_to: str  #: the group it hands over to
    #: By which it is asked for, each with a case of its own; none: those of ``digit`` and ``prompt`` that are there.
    ways: tuple[Way, ...] = ()
    digit: Digit | None = None  #: that asks for it
    prompt: Prompt | None = None  #: that asks for it: one that comes with the harness, or a WAV file
    #: What the caller answers when the AI asks back before it hands over, one after the other: a prompt as above, or a digit.
    then: tuple[Answer, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _ways_there(cls, plain: object) -> object:
        if isinstance(plain, dict) and not plain.get("ways"):
            ways = [way for way in ("digit", "prompt") if plain.get(way) is not None]
            return {**plain, "ways": ways} if ways else plain
        return plain


class Assistant(Transfer):
    """One of Synthflow's assistants."""

    #: The number it answers at. It may be that of a line which leads to it, as where Synthflow has the platform's own imported.
    did: E164
    #: Synthflow's id of it, as its page shows it: the API lists calls by it (``GET /calls?model_id=``).
    model_id: SynthflowId | None = None
    voice: int | None = Field(None, ge=240, le=255)  #: its mark, where it speaks in marks: the simulated one does
    behaviour: Behaviour = "talks"  #: what it does with calls; all but the first prove fallbacks and refusals
    handovers: dict[str, Handover] = {}

    @model_validator(mode="after")
    def _askable(self) -> Self:
        mistakes: list[Mistake] = []
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
                    mistakes.append(((*place, way), f"is missing; allowed: a {way}, since ways has it"))
            if handover.then and "silence" in handover.ways:
                mistakes.append(((*place, "then"), "nothing is said before it by silence; allowed: digit or prompt"))
        if mistakes:
            raise MistakesError(mistakes)
        return self
