"""What earlier runs and nights found, in one SQLite file beside them: for trends, and to say what
is new and what is known.

A case's history is kept by its id, its deployment and its site. Runs with injected faults or other
timings have another key (:meth:`harness.report.scope.Scope.key`), and are never mixed with these. A
change of the deployment file is put down with the first run that has it; it does not begin a new
history.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter

from harness.case.verdict import NEVER_REPORTED, Verdict, worst
from harness.errors import DamagedHistoryError, ResourceError
from harness.report.callfacts import worst_figures
from harness.report.causes import CauseGroup
from harness.report.evidence import CaseEvidence, CaseKey, PlainCase, text_of
from harness.report.markup import printable
from harness.report.run_directory import RunEvidence
from harness.report.scope import digest
from harness.support.files import json_file
from harness.support.mask import mask_text

FILE = "history.sqlite"

#: What was found is JSON in a row of its own; beside it stand the columns that rows are found by.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    run TEXT NOT NULL, deployment TEXT NOT NULL, site TEXT NOT NULL, key TEXT NOT NULL, began REAL NOT NULL, found TEXT NOT NULL,
    PRIMARY KEY (run, deployment, site)
);
CREATE INDEX IF NOT EXISTS run_key ON run (key, began);
CREATE TABLE IF NOT EXISTS file (key TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS night (series TEXT NOT NULL, began REAL NOT NULL, found TEXT NOT NULL, PRIMARY KEY (series, began));
"""
_TABLES = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", _SCHEMA))
#: SQLite's result codes for a file, or tables, that no version of the harness leaves: ERROR (a
#: column is missing), CORRUPT, MISMATCH, NOTADB. A full disk or a lock has others.
_DAMAGE = {1, 11, 20, 26}
_DAMAGED, _COMPANIONS = ".damaged-", ("-journal", "-wal", "-shm")
#: Beside the content of a deployment file, in which numbers are masked: the hash of the file
#: itself.
_HASH = "SHA-256"
_SHOWN = 5  #: changes in a line
_FINITE = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True)
class Cause:
    """Why a case did not pass: the same from run to run where id and owner are."""

    id: str = ""
    owner: str = ""
    title: str = field(default="", compare=False)  #: may hold figures of one run

    def __str__(self) -> str:
        return f"{self.title}, owner {self.owner}" if self.owner else self.title


@dataclass(frozen=True)
class Result:
    """How one case ended in one run."""

    case: str
    integration: str
    row: str
    verdict: Verdict
    #: Until it ended so (:attr:`harness.report.evidence.Tries.count`); 0: it never ran.
    attempts: int
    wall_s: float
    cause: str = ""
    causes: tuple[Cause, ...] = ()  #: all that must be fixed

    @property
    def passed(self) -> bool:
        return self.verdict == Verdict.PASSED


@dataclass(frozen=True)
class Run:
    """What one run found in one deployment at one site."""

    __pydantic_config__ = _FINITE

    run: str
    began: float  #: seconds since the epoch
    deployment: str
    site: str
    key: str  #: what it has in common with the runs of its history
    faults: tuple[str, ...] = ()
    interrupted: str = ""
    results: tuple[Result, ...] = ()
    kpis: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  #: row → name → value
    #: In the deployment file since the run before it; known once it is in the history.
    changed: tuple[str, ...] = ()
    #: The deployment file, without secrets; of a run that was read from the history it is empty.
    content: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def when(self) -> str:
        """When it began, in UTC."""
        return datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d %H:%M")

    @property
    def good(self) -> bool:
        """Whether it came to its end and everything in it passed."""
        if self.interrupted or not self.results:
            return False
        return all(result.passed for result in self.results)

    @property
    def rows(self) -> dict[str, str]:
        """The verdict of each row, as ``integration/row``."""
        found: dict[str, list[Verdict]] = {}
        for one in self.results:
            found.setdefault(f"{one.integration}/{one.row}", []).append(Verdict(one.verdict))
        return {row: str(worst(verdicts)) for row, verdicts in found.items()}


def runs_of(run: RunEvidence) -> list[Run]:
    """A run as history knows it: one entry for each deployment of each site. A planned case without
    evidence is a broken one.
    """
    content: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in run.scope.deployments:
        content[one.name, one.site] = {**one.content, _HASH: one.hash}
    found = []
    for place in dict.fromkeys(map(_place, run.everything)):
        deployment, site = place
        results, kpis = _found(place, run)
        this = Run(
            run=run.name,
            began=run.began,
            deployment=deployment,
            site=site,
            key=run.scope.key(deployment, site) or digest(place),
            faults=tuple(run.scope.faults),
            interrupted=run.end.interrupted,
            results=results,
            kpis=kpis,
            content=content.get(place, {}),
        )
        found.append(this)
    return found


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """What is not the same in two deployment files: a line for each value, with its place."""
    then, now = dict(_values(old)), dict(_values(new))
    places = {**then, **now}
    differing = [place for place in places if then.get(place) != now.get(place)]
    if differing == [_HASH]:
        return ("masked values",)
    lines = []
    for place in differing:
        if place != _HASH:
            before, after = then.get(place, "absent"), now.get(place, "absent")
            lines.append(f"{place}: {before} → {after}")
    return tuple(lines)


def _values(value: Any, place: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value):
            yield from _values(inner, f"{place}.{inner.get('name', number)}")
    else:
        yield place, value


def shortened(changed: Sequence[str]) -> str:
    """What has changed in a deployment file, in a line."""
    more = f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return "; ".join(changed[:_SHOWN]) + more


def _place(case: PlainCase) -> tuple[str, str]:
    return text_of(case, "deployment"), text_of(case, "site")


def _found(
    place: tuple[str, str], run: RunEvidence
) -> tuple[tuple[Result, ...], Mapping[str, Mapping[str, float]]]:
    """The results of one deployment at one site, and the worst figures of each row."""
    results = []
    causes: dict[CaseKey, list[Cause]] = {}
    for group in run.groups:
        for case in group.cases:
            causes.setdefault(case.key, []).append(cause_of(group))
    by_row: dict[str, list[CaseEvidence]] = {}
    for tries in run.tries:
        evidence = tries.counting
        if _place(evidence.case) != place:
            continue
        result = Result(
            case=evidence.id,
            integration=evidence.integration,
            row=evidence.row,
            verdict=evidence.verdict,
            attempts=tries.count,
            wall_s=evidence.wall_s,
            # it may hold the wire's own octets
            cause="" if evidence.passed else printable(evidence.headline),
            causes=tuple(causes.get(evidence.key, ())),
        )
        results.append(result)
        by_row.setdefault(evidence.row, []).append(evidence)
    for absent in run.absent:
        if _place(absent) == place:
            results.append(_never_ran(absent))
    return tuple(results), {row: worst_figures(cases) for row, cases in by_row.items()}


def _never_ran(case: PlainCase) -> Result:
    why = NEVER_REPORTED.message
    return Result(
        case=str(case["id"]),
        integration=text_of(case, "integration"),
        row=text_of(case, "row"),
        verdict=Verdict.BROKEN,
        attempts=0,
        wall_s=0.0,
        cause=why,
        causes=(Cause(why, title=why),),
    )


def cause_of(group: CauseGroup) -> Cause:
    """The cause as history keeps it."""
    return Cause(printable(group.id), group.said("owner"), printable(group.headline))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, made when there is none; simultaneous runs wait for each other.

    Raises :class:`DamagedHistoryError` for tables or values that no run leaves,
    :class:`ResourceError` when it cannot be used.
    """
    try:
        connection = sqlite3.connect(path, timeout=30.0)
        try:
            _make_tables(connection)
            with connection:
                yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        # an error without a code is the Python module's: text that is not UTF-8
        code = getattr(error, "sqlite_errorcode", 1) & 0xFF
        kind = DamagedHistoryError if code in _DAMAGE else ResourceError
        raise kind(f"{path}: what earlier runs found cannot be read or written: {error}") from error
    except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise DamagedHistoryError(f"{path}: what earlier runs found is damaged: {said}") from error


def _make_tables(db: sqlite3.Connection) -> None:
    """Make all tables or none: if one is gone, the rows of the others mean nothing."""
    tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    there = {name for (name,) in tables} & _TABLES
    if not there:
        # at once: another run may look at the same time
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif there != _TABLES:
        raise sqlite3.DatabaseError(f"no such table: {', '.join(sorted(_TABLES - there))}")


def set_aside(path: Path, error: ResourceError) -> str:
    """Rename a damaged history, which is never deleted. Returns a line that says so. Raises
    :class:`ResourceError`.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}{_DAMAGED}{now}")
    try:
        # SQLite would apply an old journal to a new file of the same name
        for suffix in (*_COMPANIONS, ""):
            old, new = (one.with_name(one.name + suffix) for one in (path, kept))
            with contextlib.suppress(FileNotFoundError):
                old.rename(new)
    except OSError as failed:
        why = f"is damaged and cannot be renamed: {failed.strerror}"
        raise ResourceError(f"{path}: {why}") from error
    said = mask_text(" ".join(printable(str(error)).split()))
    return f"{said}; it is now {kept.name}, and a new history begins"


def damaged(reports: Path) -> set[str]:
    """The names of the histories that were set aside there."""
    names = [path.name for path in reports.glob(f"{FILE}{_DAMAGED}*")]
    return {name for name in names if not name.endswith(_COMPANIONS)}


def keep(
    path: Path, runs: Sequence[Run], damage: DamagedHistoryError | None = None
) -> tuple[str, ...]:
    """Add a run. Returns a line for a damaged history that had to be set aside. Raises
    :class:`ResourceError`.

    ``damage`` is what reading the history for the run's reports has found.
    """
    try:
        if damage is not None:
            raise damage
        append(path, runs)
    except DamagedHistoryError as error:
        note = set_aside(path, error)
        append(path, runs)
        return (note,)
    return ()


def append(path: Path, runs: Sequence[Run]) -> None:
    """Add a run, or replace what is known of it. Raises :class:`ResourceError`."""
    with _opened(path) as db:
        for run in runs:
            known = dataclasses.replace(run, changed=_changed(db, run))
            if run.content:
                file = run.key, json.dumps(run.content)
                db.execute("INSERT OR REPLACE INTO file VALUES (?, ?)", file)
            found = json_file.text(_RUN.dump_python(known, exclude={"content"}))
            db.execute(
                "INSERT OR REPLACE INTO run VALUES (:run, :deployment, :site, :key, :began, :found)",
                {**vars(known), "found": found},
            )


def _changed(db: sqlite3.Connection, run: Run) -> tuple[str, ...]:
    """What has changed in a run's deployment file since the run before it, which is known of a run
    that was put down already.
    """
    known = db.execute(
        "SELECT found FROM run WHERE run = ? AND deployment = ? AND site = ?",
        (run.run, run.deployment, run.site),
    ).fetchone()
    if known:
        return _read(_RUN, *known).changed
    before = db.execute("SELECT content FROM file WHERE key = ?", (run.key,)).fetchone()
    if not before or not run.content:
        return ()
    return changes(json.loads(before[0]), json.loads(json.dumps(run.content)))


def before(path: Path, run: Run, most: int = 20) -> tuple[list[Run], tuple[str, ...]]:
    """The runs of the same history that began before this one, oldest first, and what has changed
    in its file since the last.
    """
    others = [one for one in read(path, key=run.key, most=most) if one.run != run.run]
    past = [one for one in others if one.began < run.began]
    if not past:
        return [], ()
    with _opened(path) as db:
        return past, _changed(db, run)


def read(path: Path, *, key: str = "", most: int = 20) -> list[Run]:
    """The last runs with that key, oldest first; none where there is no history."""
    if not path.exists():
        return []
    with _opened(path) as db:
        found = db.execute(
            "SELECT found FROM run WHERE ? IN ('', key) ORDER BY began DESC, rowid DESC LIMIT ?",
            (key, most),
        )
        return [_read(_RUN, *plain) for plain in found][::-1]


# -- nights


@dataclass(frozen=True)
class Problem:
    """What is wrong in a night: the same in the next where case, verdict and cause are."""

    what: str  #: the case with its site; or what is wrong outside of any case
    verdict: str = ""  #: of the case; empty where it is about none
    cause: Cause = Cause()
    known: str = field(default="", compare=False)  #: by whom it is acknowledged

    def __str__(self) -> str:
        return f"{self.what}: {self.verdict}" if self.verdict else self.what


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night of a series."""

    __pydantic_config__ = _FINITE

    series: str
    began: float  #: seconds since the epoch
    ended: float
    code: int  #: how the verification ended, as an exit code
    run: str  #: the run's name; empty when there was none
    problems: tuple[Problem, ...]
    faults: tuple[str, ...] = ()  #: injected; nights with others are not compared
    told: bool = True  #: whether the alert of it, if there was one, came to all whom it was for

    @property
    def when(self) -> str:
        """The day it began, in UTC."""
        return datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d")


def keep_night(path: Path, night: Night) -> None:
    """Add a night, or replace what is known of it."""
    with _opened(path) as db:
        db.execute(
            "INSERT OR REPLACE INTO night VALUES (?, ?, ?)",
            (night.series, night.began, json_file.text(night)),
        )


def read_nights(path: Path, series: str, most: int = 30) -> list[Night]:
    """The last nights of a series, oldest first, in the order in which they were put down: the
    clock may have been set meanwhile.
    """
    if not path.exists():
        return []
    with _opened(path) as db:
        found = db.execute(
            "SELECT found FROM night WHERE series = ? ORDER BY rowid DESC LIMIT ?", (series, most)
        )
        return [_read(_NIGHT, *plain) for plain in found][::-1]


_RUN, _NIGHT = TypeAdapter(Run), TypeAdapter(Night)
_Kept = TypeVar("_Kept", Run, Night)


def _read(kind: TypeAdapter[_Kept], text: str) -> _Kept:
    found = kind.validate_python(json.loads(text))
    assert found.when  # raises where no calendar has that day
    return found
