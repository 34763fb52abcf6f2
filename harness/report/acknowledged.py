"""Causes that somebody has acknowledged, each with a ticket, an owner and a last day.

They lie in ``acknowledged.toml`` beside the history, where a repository can hold them::

    [[cause]]
    cause = "audio-blocked"          # its id, as the night's page and `harness compare --json` have it
    deployment = "acme-talkdesk"     # without it: every deployment
    ticket = "NET-12"
    owner = "Ana Cruz, network"
    until = 2026-12-31

An acknowledged cause is no news, and says nothing of a verdict.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import MistakeError, writing
from harness.support import toml_model
from harness.support.files import whole_file

FILE = "acknowledged.toml"
_Words = Annotated[str, Field(min_length=1)]


class Acknowledgement(BaseModel):
    """One cause that somebody works on."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    cause: _Words
    deployment: str = ""
    ticket: _Words
    owner: _Words
    until: datetime.date  #: the last day on which it counts

    def __str__(self) -> str:
        return f"known: {self.ticket}, {self.owner}, until {self.until}"


class AcknowledgementFile(BaseModel):
    """A file of acknowledged causes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cause: tuple[Acknowledgement, ...] = ()


@dataclass(frozen=True)
class Acknowledged:
    """The acknowledgements that count today."""

    entries: tuple[Acknowledgement, ...] = ()

    def of(self, cause: str, deployment: str) -> str:
        """The acknowledgement of a cause in words; empty if there is none."""
        for entry in self.entries:
            if entry.cause == cause and entry.deployment in ("", deployment):
                return str(entry)
        return ""


NONE = Acknowledged()


def read(reports: Path) -> tuple[Acknowledgement, ...]:
    """Those of a directory of reports. Raises :class:`MistakeError`."""
    path = reports / FILE
    return toml_model.load(path, AcknowledgementFile).cause if path.exists() else ()


def today(reports: Path) -> Acknowledged:
    """Those that have not expired. Raises :class:`MistakeError`."""
    return Acknowledged(tuple(one for one in read(reports) if one.until >= _today()))


def add(reports: Path, entry: Acknowledgement) -> Path:
    """Add an acknowledgement, in place of an earlier one of the same cause; returns the file."""
    if entry.until < _today():
        raise MistakeError(f"--until {entry.until}: is over. Give a day to come.")
    same = (entry.cause, entry.deployment)
    others = [one for one in read(reports) if (one.cause, one.deployment) != same]
    path = reports / FILE
    with writing(path):
        whole_file.write(path, "\n".join(map(_toml, [*others, entry])))
    return path


def _toml(entry: Acknowledgement) -> str:
    # JSON's strings are TOML's
    lines = ["[[cause]]"]
    for name, value in entry:
        if isinstance(value, str) and value:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    lines.append(f"until = {entry.until}")
    return "\n".join([*lines, ""])


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()
