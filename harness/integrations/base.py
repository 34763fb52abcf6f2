"""What an integration declares: its rows, which numbers prove them, and what each multiplies by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.deployment import Ai, Assistant, Deployment, Line, Transport, Trunk

#: What a call to the AI that is held to two-way audio finds; a transfer to an agent; a fallback.
WITH_THE_AI: Mapping[str, int] = {"answered": 1, "landing.answered_by": 1, "audio to ai": 1, "audio to caller": 1}
HANDED_OVER: Mapping[str, int] = {**WITH_THE_AI, "landing": 1, "audio to agent": 1, "audio to caller": 2}
FALLEN_BACK: Mapping[str, int] = {
    "landing": 1,
    "answered": 1,
    "caller_id": 1,
    "audio to agent": 1,
    "audio to caller": 1,
}
AGAIN: Mapping[str, int] = {"audio to ai again": 1, "audio to caller again": 1}  #: after a change of the call
ADDRESSED: Mapping[str, int] = {"route.request_uri": 1, "route.transport": 1}

#: Who is asked to be the AI in a row: each trunk's own, or only one kind.
Seats = Literal["both", "synthflow", "stand-in"]
By = Literal["the harness", "the AI", "the platform"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One number over one trunk, in one cell of a row's axes."""

    deployment: Deployment
    trunk: Trunk
    line: str  #: the number's name; empty where the row calls none
    axes: Mapping[str, str]

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
        return self.deployment.assistants[self.entry.assistant] if self.line and self.entry.assistant else None

    @property
    def has_way_in(self) -> bool:
        """Whether the platform answers before the AI does: with a menu, or an announcement."""
        return self.entry.press is not None or self.entry.announcement_s > 0


@dataclass(frozen=True, slots=True)
class Which:
    """A fact about a number that a row needs. ``prefers`` puts the numbers that have it in order, the smallest first."""

    holds: Callable[[Cell], bool]
    missing: str  #: what to say where no number has it, as in "no number has a fallback"
    prefers: Callable[[Cell], int] = lambda cell: 0


@dataclass(frozen=True, slots=True)
class Need:
    """A fact about the whole deployment that a row needs."""

    holds: Callable[[Deployment], bool]
    missing: str


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call. Only the harness's own count against its caps; the others come of them, and somebody pays for them too."""

    who: str
    number: str
    by: By = "the harness"


#: The calls of a case; the cell has no number (its line is empty) where the row calls none.
Calls = Callable[[Cell], Iterator[PlannedCall]]


def one_call(cell: Cell) -> Iterator[PlannedCall]:
    """A caller calls the number."""
    yield PlannedCall(cell.deployment.callers[0], cell.did)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a row's own. A ``full`` one multiplies all others; of another only the first value does."""

    name: str
    values: Callable[[Deployment], Sequence[str]]
    full: bool = False
    missing: str = ""  #: what to say where the deployment has no value for it


#: What a row is about: a call that the AI takes, hands over, does not take, may not get; or something else than a call.
Moment = Literal[
    "inbound", "transfer", "fallback", "limit", "campaign", "unanswered", "people", "registration", "access", "options"
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
    which: tuple[Which, ...] | None  #: what a number needs for the row to call it; None: the row calls no number
    needs: tuple[Need, ...] = ()  #: what the deployment needs besides
    #: Whether each number is proved by itself, where ``depth = "every-number"``.
    every_number: bool = False
    moment: Moment = "inbound"
    over: Literal["trunks", "default"] = "default"
    codecs: bool = True  #: whether the codec matters
    transports: tuple[str, ...] = ("udp", "tcp", "tls")
    authentication: tuple[str, ...] = ("ip", "digest")
    seats: Seats = "both"
    axes: tuple[Axis, ...] = ()
    opt_in: bool = False  #: only run when asked for by name
    seconds: float = 1.0  #: about how long a case takes, for longest-first ordering
    calls: Calls = one_call  #: which calls a case places
    own_place: bool = False  #: whether a stand-in's phone is set up for this row alone, or leaves its place
    withholds: bool = False  #: whether the caller withholds the number
    #: Checks that are the row's very subject: where nobody can make them the row is left out.
    subject: frozenset[str] = frozenset()
    #: How many findings of each kind (:func:`harness.checks.finding.kind`; of several kinds, written ``a|b``, together) a
    #: case makes at least: with fewer it has not looked at all that ``proves`` says.
    finds: Mapping[str, int] = field(hash=False)
    #: More, in cells with that value of an axis.
    finds_at: Mapping[tuple[str, str], Mapping[str, int]] = field(hash=False, default_factory=dict)

    def finds_in(self, axes: Mapping[str, str]) -> Mapping[str, int]:
        """What a case in that cell finds, at least."""
        more = [found for (axis, value), found in self.finds_at.items() if axes.get(axis) == value]
        return sum(map(Counter, more), Counter(self.finds))

    @property
    def documented(self) -> bool:
        """Whether the guide asks for this row."""
        return self.source.startswith("guide")


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """A platform in front of the AI."""

    name: str
    title: str
    guide: str  #: the guide's public address
    rows: tuple[Row, ...]
    transports: tuple[Transport, ...] = ("udp", "tcp", "tls")  #: over which the platform signals

    def row(self, row_id: str) -> Row:
        """The row of that id. Raises ``KeyError``."""
        for row in self.rows:
            if row.id == row_id:
                return row
        raise KeyError(row_id)

    def link(self, row: Row) -> str:
        """The address of the guide's section the row comes from."""
        return f"{self.guide}#{row.section}" if row.section else self.guide
