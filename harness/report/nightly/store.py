"""Which nights there were, in the same SQLite file as their results: when, how they ended, and what was wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.report.case_log import finite
from harness.report.history import opened, reading
from harness.support.field_kinds import require_kinds

_SCHEMA = """
CREATE TABLE IF NOT EXISTS night (
    id INTEGER PRIMARY KEY, series TEXT NOT NULL, began REAL NOT NULL, ended REAL NOT NULL, code INTEGER NOT NULL,
    run TEXT NOT NULL, problems TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS night_series ON night (series, began);
CREATE TABLE IF NOT EXISTS untold (night INTEGER PRIMARY KEY REFERENCES night (id) ON DELETE CASCADE);
"""


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night of a series."""

    series: str
    began: float  #: seconds since the epoch
    ended: float
    code: int  #: how the verification ended, as an exit code
    run: str  #: the run's name; empty when there was none
    problems: tuple[str, ...]  #: what was wrong, each in words that stay the same from night to night
    told: bool = True  #: whether the alert of it, if there was one, came to all whom it was for

    @property
    def when(self) -> str:
        """The day it began, in UTC."""
        return datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d")


def append(path: Path, night: Night) -> None:
    """Add a night."""
    with opened(path, _SCHEMA) as db:
        db.execute(
            "INSERT INTO night (series, began, ended, code, run, problems) VALUES (?, ?, ?, ?, ?, ?)",
            (night.series, night.began, night.ended, night.code, night.run, json.dumps(night.problems)),
        )


def leave_untold(path: Path, night: Night) -> None:
    """The alert of a night is not sent, or not yet."""
    with opened(path, _SCHEMA) as db:
        db.execute(
            "INSERT OR IGNORE INTO untold SELECT id FROM night WHERE series = ? AND began = ?",
            (night.series, night.began),
        )


def note_told(path: Path, night: Night) -> None:
    """The alert of a night came to all whom it was for."""
    with opened(path, _SCHEMA) as db:
        db.execute(
            "DELETE FROM untold WHERE night IN (SELECT id FROM night WHERE series = ? AND began = ?)",
            (night.series, night.began),
        )


def read(path: Path, series: str, most: int = 30) -> list[Night]:
    """The last nights of a series, oldest first, in the order in which they were put down: the clock may have been set meanwhile."""
    if not path.exists():
        return []
    with reading(path, _SCHEMA) as db:
        found = db.execute(
            "SELECT series, began, ended, code, run, problems, id NOT IN (SELECT night FROM untold) FROM night "
            "WHERE series = ? ORDER BY id DESC LIMIT ?",
            (series, most),
        )
        return [_night(*plain) for plain in found][::-1]


def _night(series: str, began: float, ended: float, code: int, run: str, problems: str, told: int) -> Night:
    found = json.loads(problems)
    plain = {"series": series, "began": finite(began), "ended": finite(ended), "code": code, "run": run}
    require_kinds(Night, plain | {"problems": found})
    night = Night(series=series, began=began, ended=ended, code=code, run=run, problems=tuple(found), told=bool(told))
    assert night.when  # raises where no calendar has that day
    return night
