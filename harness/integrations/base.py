"""What an integration declares: its rows, which numbers prove them, and what each multiplies by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Literal

from harness.deployment import Ai, Assistant, Deployment, Handover, Line, Opening, Transport, Trunk
from harness.finding_kinds import (
    ANSWERED,
    AUDIO_TO_AGENT,
    AUDIO_TO_AGENT_AGAIN,
    AUDIO_TO_AI,
    AUDIO_TO_AI_AGAIN,
    AUDIO_TO_CALLER,
    AUDIO_TO_CALLER_AGAIN,
    CALLER_ID,
    LANDING,
    LANDING_ANSWERED_BY,
    ROUTE_REQUEST_URI,
    ROUTE_TRANSPORT,
    RequiredFindings,
)

#: What a call to the AI that is held to two-way audio finds; a transfer to an agent; a fallback.
WITH_THE_AI: RequiredFindings = {
    ANSWERED: 1,
    LANDING_ANSWERED_BY: 1,
    AUDIO_TO_AI: 1,
    AUDIO_TO_CALLER: 1,
}
LASTING: RequiredFindings = {
    AUDIO_TO_AGENT_AGAIN: 1,
    AUDIO_TO_CALLER_AGAIN: 1,
}  #: a moment later, with a person
HANDED_OVER: RequiredFindings = {
    **WITH_THE_AI,
    LANDING: 1,
    AUDIO_TO_AGENT: 1,
    AUDIO_TO_CALLER: 2,
    **LASTING,
}
FALLEN_BACK: RequiredFindings = {
    LANDING: 1,
    ANSWERED: 1,
    CALLER_ID: 1,
    AUDIO_TO_AGENT: 1,
    AUDIO_TO_CALLER: 1,
    **LASTING,
}
#: The same where a machine takes over: the caller hears it.
LANDED: RequiredFindings = {
    LANDING: 1,
    CALLER_ID: 1,
    AUDIO_TO_AGENT: 1,
    AUDIO_TO_CALLER: 1,
    **LASTING,
}
AGAIN: RequiredFindings = {
    AUDIO_TO_AI_AGAIN: 1,
    AUDIO_TO_CALLER_AGAIN: 1,
}  #: after a change of the call
ADDRESSED: RequiredFindings = {ROUTE_REQUEST_URI: 1, ROUTE_TRANSPORT: 1}

#: Prefix of a reason: the harness cannot observe the subject of the row here.
NOT_OBSERVABLE = "not observable: "

#: Why a row has no case: the deployment lacks what it needs; the harness cannot observe its subject,
#: or cause its situation; it is not the time of its numbers; ``[leave_out]`` names it; or it takes
#: long and was not asked for by name.
ReasonKind = Literal["lacking", "not observable", "not now", "left out", "takes long"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row has no case."""

    kind: ReasonKind
    why: str

    @classmethod
    def of(cls, why: str) -> Reason:
        """The reason of a condition that does not hold, which says so where it is not observable."""
        return cls("not observable" if why.startswith(NOT_OBSERVABLE) else "lacking", why)


#: The AI in a row: each trunk's AI; only a stand-in; or, where the AI takes no part, the first
#: trunk's, Synthflow preferred.
WhoIsAi = Literal["both", "stand-in", "either"]
By = Literal["the harness", "the AI", "the platform"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One number over one trunk, in one cell of a row's axes."""

    deployment: Deployment
    trunk: Trunk
    line: str  #: the number's name; empty where the row calls none
    axes: Mapping[str, str]
    caller: str = ""  #: who calls; empty: the first caller

    @property
    def callers(self) -> list[str]:
        """The callers, beginning with the one whose turn it is."""
        return self.deployment.callers_from(self.caller)

    @property
    def ai(self) -> Ai:
        """Who is the AI."""
        return self.trunk.ai

    @property
    def entry(self) -> Line:
        """What the deployment says of the number."""
        return self.deployment.lines[self.line]

    @property
    def did(self) -> str:
        """The number, E.164."""
        return self.deployment.did(self.line, self.trunk.name)

    @property
    def assistant(self) -> Assistant | None:
        """The assistant the number leads to; None where it leads to people only."""
        if not self.line or not self.entry.assistant:
            return None
        return self.deployment.assistants[self.entry.assistant]

    @property
    def handover(self) -> Handover | None:
        """How its assistant hands over in this cell: as the axis says, else as the assistant's own
        table does.
        """
        return self.deployment.handover(self.line, self.axes.get("handover", ""))

    @property
    def people(self) -> str | None:
        """The group that takes the calls of a number of people: in a cell with an overflow the one
        that takes over.
        """
        return self.axes.get("overflow") or self.entry.group

    @property
    def opening(self) -> Opening:
        """Of the number and its group of people the one whose hours count."""
        return self.deployment.opening(self.line)

    @property
    def is_open(self) -> bool:
        """Whether the number is within its hours when the plan is made."""
        return self.deployment.is_open(self.line)

    @property
    def has_way_in(self) -> bool:
        """Whether the platform answers before the AI does: with a menu, or an announcement."""
        return self.entry.press is not None or self.entry.announcement_s > 0


@dataclass(frozen=True, slots=True)
class Which:
    """A fact about a number that a row needs. ``prefers`` puts the numbers that have it in order,
    the smallest first.
    """

    holds: Callable[[Cell], bool]
    missing: str  #: the reason when no number has it: "no number has a fallback"
    prefers: Callable[[Cell], int] = lambda cell: 0
    reason_for_one: str = ""  #: the reason when one handover lacks it and others have it
    #: The number has it, but no harness phone can observe it.
    hides: Callable[[Cell], bool] = lambda cell: False
    #: The number has it, but the harness cannot cause it here.
    beyond_us: Callable[[Cell], bool] = lambda cell: False

    def why_none(self, cells: Sequence[Cell]) -> str:
        """The reason when no cell has it. It tells "not observable" from "does not exist"."""
        unseen = any(self.hides(cell) or self.beyond_us(cell) for cell in cells)
        hidden = not self.missing.startswith(NOT_OBSERVABLE) and unseen
        return f"{NOT_OBSERVABLE}{self.missing}" if hidden else self.missing


@dataclass(frozen=True, slots=True)
class Need:
    """A fact about the whole deployment that a row needs."""

    holds: Callable[[Deployment], bool]
    missing: str
    #: The deployment has it, but the harness cannot cause it.
    beyond_us: Callable[[Deployment], bool] = lambda deployment: False

    def why_none(self, deployment: Deployment) -> str:
        """What to say where it is missing."""
        return f"{NOT_OBSERVABLE}{self.missing}" if self.beyond_us(deployment) else self.missing


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call. Only the harness's own count against its caps; the others come of them, and
    somebody pays for them too.
    """

    who: str
    number: str
    by: By = "the harness"


#: The calls of a case; the cell has no number (its line is empty) where the row calls none.
Calls = Callable[[Cell], Iterator[PlannedCall]]


def one_call(cell: Cell) -> Iterator[PlannedCall]:
    """A caller calls the number."""
    yield PlannedCall(cell.callers[0], cell.did)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a row's own. A ``full`` one multiplies all others; of another only the first value
    does.
    """

    name: str
    values: Callable[[Deployment], Sequence[str]]
    full: bool = False
    missing: str = ""  #: the reason when the deployment has no value for it
    #: The value of a named handover, independent of the other handovers.
    of_handover: Callable[[Handover], str] | None = None
    of_each: bool = False  #: an unnamed handover has its value too, so the axis is not varied


#: The subject of a row: a call that the AI takes, hands over, does not take or may not get; or no
#: call.
Moment = Literal[
    "inbound",
    "transfer",
    "fallback",
    "limit",
    "campaign",
    "unanswered",
    "people",
    "registration",
    "access",
    "options",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the verification matrix."""

    id: str
    scenario: str  #: the scenario that proves it, by the name its ``@scenario`` mark gives
    title: str
    proves: str  #: what must be proved, in one or two sentences; the description in every report
    source: str  #: where the row comes from: ``guide, Verification 1`` or ``practice``
    section: str = ""  #: the guide's section, for the link
    #: What a number needs for the row to call it; None: the row calls no number.
    which: tuple[Which, ...] | None
    needs: tuple[Need, ...] = ()  #: what the deployment needs besides
    #: Whether each number is proved by itself, where ``depth = "every-number"``.
    every_number: bool = False
    hands_over: Literal["cold", "warm"] | None = (
        None  #: each handover of that kind is proved by itself
    )
    overflows: bool = (
        False  #: proved again where a number's group does not take the call and another end does
    )
    out_of_hours: bool = (
        False  #: whether it calls numbers while they are closed; all others while they are open
    )
    moment: Moment = "inbound"
    #: A case for each trunk, and codec where that matters; or one on the first trunk that has such
    #: a number.
    over: Literal["trunks", "default"] = "default"
    codecs: bool = True  #: whether the codec matters
    transports: tuple[str, ...] = ("udp", "tcp", "tls")  #: of the trunks that can prove it
    authentication: tuple[str, ...] = ("ip", "digest")  #: likewise
    ai: WhoIsAi = "both"
    axes: tuple[Axis, ...] = ()  #: of its own, besides trunk, codec and number
    opt_in: bool = False  #: only run when asked for by name
    seconds: float = 1.0  #: about how long a case takes, for longest-first ordering
    calls: Calls = one_call  #: which calls a case places
    own_place: bool = (
        False  #: the stand-in's phone is set up for this row alone, or leaves its address
    )
    #: A platform may consider the trunk down after this row, and send no calls for a while (RFC
    #: 3261 section 21.5.4).
    takes_trunk_down: bool = False
    withholds: bool = False  #: whether the caller withholds the number
    #: The checks that the row exists for. The row is left out where they are not observable.
    subject: frozenset[str] = frozenset()
    #: With fewer findings a case has not checked everything in ``proves``.
    required_findings: RequiredFindings = field(hash=False)
    #: More, in cells with that value of an axis.
    required_findings_at: Mapping[tuple[str, str], RequiredFindings] = field(
        hash=False, default_factory=dict
    )

    def required_in(self, axes: Mapping[str, str]) -> RequiredFindings:
        """What a case in that cell finds, at least."""
        more = [
            found
            for (axis, value), found in self.required_findings_at.items()
            if axes.get(axis) == value
        ]
        return sum(map(Counter, more), Counter(self.required_findings))

    def variants(self, deployment: Deployment, *, everything: bool) -> Iterator[dict[str, str]]:
        """The values of its own axes: full axes always multiply, the others only where
        ``everything`` is asked for.
        """
        axes = [(axis, list(axis.values(deployment))) for axis in self.axes]
        full = [[(axis.name, value) for value in values] for axis, values in axes if axis.full]
        for chosen in product(*full):
            yield {axis.name: values[0] for axis, values in axes} | dict(chosen)
        if everything:
            for axis, values in axes:
                if not axis.full:
                    for value in values[1:]:
                        yield {a.name: v[0] for a, v in axes} | {axis.name: value}

    @property
    def documented(self) -> bool:
        """Whether the guide asks for this row."""
        return self.source.startswith("guide")


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """A platform in front of the AI."""

    name: str
    title: str
    called: str = ""  #: in a sentence, where the title is no name: "the SBC"
    guide: str  #: the guide's public address
    rows: tuple[Row, ...]
    transports: tuple[Transport, ...] = ("udp", "tcp", "tls")  #: over which the platform signals
    carries_out_refer: bool = False  #: whether its guide says that it does
    #: A TOML file with its guide's sections, its fix texts of shared causes, and causes and rules of
    #: its own (:mod:`harness.diagnosis.catalogue`).
    diagnosis: Path | None = None

    def row(self, row_id: str) -> Row:
        """The row of that id. Raises ``KeyError``."""
        for row in self.rows:
            if row.id == row_id:
                return row
        raise KeyError(row_id)

    def link(self, row: Row) -> str:
        """The address of the guide's section the row comes from."""
        return f"{self.guide}#{row.section}" if row.section else self.guide
