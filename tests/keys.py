"""What notices each key of a deployment file: ``tests/contract/keys.toml``, and the files beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.integrations.matrix import Case

DIRECTORY = Path(__file__).parent / "contract"
TABLE: Mapping[str, Any] = tomllib.loads((DIRECTORY / "keys.toml").read_text())
FILES = tuple(TABLE["seen"])
#: One of them is open while the other is closed, of hours from midnight until noon.
_ZONES = ("Etc/GMT", "Etc/GMT-12")


@dataclass(frozen=True)
class Seen:
    """A key that is another in the simulated world, and the case that fails by it."""

    key: str
    row: str
    line: str
    check: str
    axis_value: str = ""

    def is_in(self, case: Case) -> bool:
        if case.row.id != self.row or (case.line or "") != self.line:
            return False
        return not self.axis_value or self.axis_value in case.axes.values()


def seen_in(file: str) -> list[Seen]:
    return [Seen(key, *entry) for key, entry in TABLE["seen"][file].items()]


def text_of(file: str) -> str:
    """The deployment file, for this moment."""
    now = datetime.now(UTC)
    zone, other = _ZONES if now.hour < 12 else reversed(_ZONES)
    values = {"today": f"{now:%Y-%m-%d}", "zone": zone, "other_zone": other}
    text = (DIRECTORY / "keys" / f"{file}.toml").read_text()
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def places(differs: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place that the simulated world has otherwise."""
    for key, value in differs.items():
        if isinstance(value, Mapping) and value:
            yield from places(value, (*before, key))
        else:
            yield (*before, key)


def matches(pattern: str, place: tuple[str, ...]) -> bool:
    """Whether one of the patterns names the place; a ``*`` at the end all that is below it, too."""
    return any(_is_at(one.split("."), place) for one in pattern.split("|"))


def _is_at(pattern: list[str], place: tuple[str, ...]) -> bool:
    if pattern[-1] == "*" and len(place) > len(pattern):
        place = place[: len(pattern)]
    if pattern[-1] == "*" and tuple(pattern[:-1]) == place:
        return True  # the table itself
    return len(pattern) == len(place) and all(
        one in ("*", name) for one, name in zip(pattern, place, strict=True)
    )
