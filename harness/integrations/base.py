"""What an integration declares: its rows, and what each multiplies by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the verification matrix.

    ``variants`` maps the name of a row's own axis to its values; the first value runs over all other axes, the others
    only on the default trunk and codec, unless the axis is in ``full``.
    """

    id: str
    title: str
    proves: str  #: what must be proved, in one or two sentences; the description in every report
    source: str  #: where the row comes from: ``guide, Verification 1`` or ``practice``
    section: str = ""  #: the guide's section, for the link
    line: str | None = None  #: the deployment's line the row calls; what a deployment has no line for is left out
    needs: tuple[str, ...] = ()  #: other parts of the deployment it cannot do without, as dotted paths
    over: Literal["trunks", "default"] = "default"
    codecs: bool = True  #: whether the codec matters
    transports: tuple[str, ...] = ("udp", "tcp", "tls")
    authentication: tuple[str, ...] = ("ip", "digest")
    seats: Seats = "both"
    variants: tuple[tuple[str, tuple[str, ...]], ...] = ()
    full: tuple[str, ...] = ()
    opt_in: bool = False  #: only run when asked for by name
    seconds: float = 1.0  #: about how long a case takes, for longest-first ordering
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

    def row(self, row_id: str) -> Row:
        """The row of that id. Raises ``KeyError``."""
        for row in self.rows:
            if row.id == row_id:
                return row
        raise KeyError(row_id)

    def link(self, row: Row) -> str:
        """The address of the guide's section the row comes from."""
        return f"{self.guide}#{row.section}" if row.section else self.guide
