"""What an integration declares: its rows, and what each multiplies by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    line: str | None = None  #: the deployment's line the row calls; a deployment without it leaves the row out
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
