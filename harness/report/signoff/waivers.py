"""Waivers: what somebody answers for although it was not proved, and until when.

::

    [[waiver]]
    row = "ROW-ID"                   # as the document has it
    deployment = "acme-talkdesk"     # only where the run has several
    who = "Jane Doe, Head of Operations"
    why = "The trunk is enlarged to 30 calls on 1 December."
    until = 2026-12-31               # the last day on which it counts, at most a year ahead
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.errors import MistakeError
from harness.report.signoff import manifest
from harness.support import toml_model

#: The waivers a document was made with, kept beside it.
FILE = manifest.WAIVERS

#: The longest time from today to ``until``: a waiver is reviewed once a year.
MOST_DAYS = 366

#: Letters to Unicode, and shown as nothing: the fillers of Hangul.
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")


def _readable(text: str) -> str:
    if not any(unicodedata.category(sign).startswith("L") and sign not in _INVISIBLE_LETTERS for sign in text):
        raise ValueError("has no letter that can be seen; allowed: words")
    return text


_Words = Annotated[str, Field(min_length=1), AfterValidator(_readable)]


class Waiver(BaseModel):
    """One row somebody answers for."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    row: Annotated[str, Field(min_length=1)]
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


def check(waivers: Iterable[Waiver], rows: Iterable[tuple[str, str]], path: Path, *, today: datetime.date) -> None:
    """Raise :class:`MistakeError` for each waiver of an unknown row, and each that ends later than ``MOST_DAYS`` after ``today``."""
    known = list(rows)
    latest = today + datetime.timedelta(days=MOST_DAYS)
    lines = []
    for waiver in waivers:
        if not any(waiver.covers(deployment, row) for deployment, row in known):
            lines.append(f"{path}: waiver of {waiver.what}: {_unknown(waiver, known)}")
        if waiver.until > latest:
            allowed = f"allowed: {latest} at the latest ({MOST_DAYS} days from today)"
            lines.append(f"{path}: waiver of {waiver.what}: until {waiver.until} is too far ahead; {allowed}")
    if lines:
        raise MistakeError("\n".join(lines))


def _unknown(waiver: Waiver, known: Iterable[tuple[str, str]]) -> str:
    if having := sorted({deployment for deployment, row in known if row == waiver.row}):
        return f"in this run no deployment of that name has the row; allowed: {', '.join(having)}"
    return f"no such row in this run; allowed: {', '.join(sorted({row for _, row in known}))}"
