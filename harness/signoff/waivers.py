"""Waivers: what somebody answers for although it was not proved, and until when.

::

    [[waiver]]
    row = "ROW-ID"                   # as the document has it
    deployment = "acme-talkdesk"     # only where the run has several
    who = "Jane Doe, Head of Operations"
    why = "The trunk is enlarged to 30 calls on 1 December."
    until = 2026-12-31               # the last day on which it counts
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness import toml_model
from harness.errors import MistakeError

#: The waivers a document was made with, kept beside it.
FILE = "signoff.waivers.toml"

_Words = Annotated[str, Field(min_length=1)]


class Waiver(BaseModel):
    """One row somebody answers for."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    row: _Words
    deployment: str = ""
    who: _Words
    why: _Words
    until: datetime.date

    @property
    def what(self) -> str:
        """The row, with its deployment where one is named."""
        return f"{self.row} of {self.deployment}" if self.deployment else self.row

    def covers(self, deployment: str, row: str) -> bool:
        """Whether it speaks of that row."""
        return self.row == row and self.deployment in ("", deployment)

    def expired(self, today: datetime.date) -> bool:
        """Whether it counts no more."""
        return today > self.until


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    waiver: tuple[Waiver, ...] = ()


def read(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises :class:`MistakeError` with a line for each mistake."""
    return toml_model.load(path, _File).waiver


def check(waivers: Iterable[Waiver], rows: Iterable[tuple[str, str]], path: Path) -> None:
    """Raise :class:`MistakeError` for each waiver of a row that the run's deployments do not have."""
    known = list(rows)
    lines = [
        f"{path}: waiver of {waiver.what}: {_unknown(waiver, known)}"
        for waiver in waivers
        if not any(waiver.covers(deployment, row) for deployment, row in known)
    ]
    if lines:
        raise MistakeError("\n".join(lines))


def _unknown(waiver: Waiver, known: Iterable[tuple[str, str]]) -> str:
    if having := sorted({deployment for deployment, row in known if row == waiver.row}):
        return f"in this run no deployment of that name has the row; allowed: {', '.join(having)}"
    return f"no such row in this run; allowed: {', '.join(sorted({row for _, row in known}))}"
