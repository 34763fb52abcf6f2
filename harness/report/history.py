"""What earlier runs found, in one SQLite file beside them: for trends, and to compare a night with the last good one.

Runs are told apart by what they verified: a run of another deployment, another file of the same name, another selection, other
timings or injected faults has another key (:meth:`harness.report.scope.Scope.key`), and is never mixed with this one's.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import ResourceError
from harness.report import kpi
from harness.report.evidence import CaseEvidence
from harness.report.markup import printable
from harness.report.scope import Scope, digest
from harness.report.summary import attempts, latest
from harness.verdict import Verdict, worst

FILE = "history.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, began REAL NOT NULL, deployment TEXT NOT NULL, site TEXT NOT NULL,
    key TEXT NOT NULL, whole TEXT NOT NULL, faults TEXT NOT NULL, interrupted TEXT NOT NULL, UNIQUE (run, deployment, site)
);
CREATE INDEX IF NOT EXISTS run_key ON run (key, began);
CREATE TABLE IF NOT EXISTS result (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE, case_id TEXT NOT NULL, integration TEXT NOT NULL, row TEXT NOT NULL,
    verdict TEXT NOT NULL, attempts INTEGER NOT NULL, wall_s REAL NOT NULL, cause TEXT NOT NULL, PRIMARY KEY (run, case_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kpi (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE, row TEXT NOT NULL, name TEXT NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (run, row, name)
) WITHOUT ROWID;
"""
_RESULTS = (
    "SELECT case_id, integration, row, verdict, attempts, wall_s, cause FROM result WHERE run = ? ORDER BY row, case_id"
)


@dataclass(frozen=True)
class Result:
    """How one case ended in one run."""

    case: str
    integration: str
    row: str
    verdict: Verdict
    attempts: int  #: until it ended so (:func:`harness.report.summary.attempts`); 0: it never ran
    wall_s: float
    cause: str = ""


@dataclass(frozen=True)
class Run:
    """What one run found in one deployment at one site."""

    run: str
    began: float  #: seconds since the epoch
    deployment: str
    site: str
    key: str  #: what it has in common with the runs it may be compared with
    whole: str  #: the keys of all deployments of the run, as one
    faults: tuple[str, ...] = ()
    interrupted: str = ""
    results: tuple[Result, ...] = ()
    kpis: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  #: row → name → value

    @property
    def when(self) -> str:
        """When it began, in UTC."""
        return datetime.fromtimestamp(self.began, UTC).strftime("%Y-%m-%d %H:%M")

    @property
    def good(self) -> bool:
        """Whether it came to its end and everything in it passed."""
        return not self.interrupted and bool(self.results) and all(r.verdict == Verdict.PASSED for r in self.results)

    @property
    def rows(self) -> dict[str, str]:
        """The verdict of each row, as ``integration/row``."""
        found: dict[str, list[Verdict]] = {}
        for one in self.results:
            found.setdefault(f"{one.integration}/{one.row}", []).append(Verdict(one.verdict))
        return {row: str(worst(verdicts)) for row, verdicts in found.items()}


def runs_of(
    name: str,
    evidences: Sequence[CaseEvidence],
    planned: Sequence[Mapping[str, object]],
    scope: Scope | None,
    interrupted: str = "",
) -> list[Run]:
    """A run as history knows it: one entry for each deployment of each site. A planned case without evidence is a broken one."""
    last = latest(evidences)
    keys = _keys(last, planned, scope)
    faults = tuple(map(str, scope.options.get("fault") or ())) if scope else ()
    whole = digest(sorted(keys.values()))
    began = min((evidence.began_wall for evidence in last), default=scope.began if scope else 0.0)
    return [
        Run(name, began, *place, keys[place], whole, faults, interrupted, *_found(place, evidences, planned))
        for place in keys
    ]


def whole_of(evidences: Sequence[CaseEvidence], planned: Sequence[Mapping[str, object]], scope: Scope | None) -> str:
    """What a run has in common with those that verified the same, all deployments together; empty for a run of nothing."""
    keys = _keys(evidences, planned, scope)
    return digest(sorted(keys.values())) if keys else ""


def _keys(
    evidences: Sequence[CaseEvidence], planned: Sequence[Mapping[str, object]], scope: Scope | None
) -> dict[tuple[str, str], str]:
    """The key of each deployment at each site."""
    places = dict.fromkeys(
        (str(case.get("deployment") or ""), str(case.get("site") or ""))
        for case in (*planned, *(e.case for e in evidences))
    )
    return {place: _key(place, planned, scope) for place in places}


def _key(place: tuple[str, str], planned: Sequence[Mapping[str, object]], scope: Scope | None) -> str:
    if scope and (found := scope.key(place[0], place[1])):
        return found
    return digest([*place, sorted(str(case["id"]) for case in planned)])


def _found(
    place: tuple[str, str], evidences: Sequence[CaseEvidence], planned: Sequence[Mapping[str, object]]
) -> tuple[tuple[Result, ...], Mapping[str, Mapping[str, float]]]:
    here = [e for e in evidences if (str(e.case.get("deployment") or ""), e.site) == place]
    tries = attempts(here)
    results = []
    for e in latest(here):
        cause = "" if e.verdict is Verdict.PASSED else printable(e.headline)  # it may hold the wire's own octets
        results.append(Result(e.id, e.integration, e.row, e.verdict, tries[e.key], e.wall_s, cause))
    known = {one.case for one in results}
    for case in planned:
        if (str(case.get("deployment") or ""), str(case.get("site") or "")) == place and str(case["id"]) not in known:
            integration, row = str(case.get("integration") or ""), str(case.get("row") or "")
            results.append(Result(str(case["id"]), integration, row, Verdict.BROKEN, 0, 0.0, "never reported"))
    by_row: dict[str, list[CaseEvidence]] = {}
    for evidence in latest(here):
        by_row.setdefault(evidence.row, []).append(evidence)
    return tuple(results), {row: kpi.of(cases) for row, cases in by_row.items()}


@contextlib.contextmanager
def opened(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """A database, made when there is none; simultaneous runs wait for each other.

    Raises :class:`ResourceError` when it cannot be used.
    """
    try:
        connection = sqlite3.connect(path, timeout=30.0)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.executescript(schema)
            with connection:
                yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:  # a full disk, a damaged file, one of another program
        raise ResourceError(f"{path}: what earlier runs found cannot be read or written: {error}") from error


def append(path: Path, runs: Sequence[Run]) -> None:
    """Add a run, or replace what is known of it. Raises :class:`ResourceError`, as :func:`read` does."""
    with opened(path, _SCHEMA) as db:
        for run in runs:
            db.execute(
                "DELETE FROM run WHERE run = ? AND deployment = ? AND site = ?", (run.run, run.deployment, run.site)
            )
            cursor = db.execute(
                "INSERT INTO run (run, began, deployment, site, key, whole, faults, interrupted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run.run,
                    run.began,
                    run.deployment,
                    run.site,
                    run.key,
                    run.whole,
                    json.dumps(run.faults),
                    run.interrupted,
                ),
            )
            number = cursor.lastrowid
            db.executemany(
                "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(number, r.case, r.integration, r.row, r.verdict, r.attempts, r.wall_s, r.cause) for r in run.results],
            )
            db.executemany(
                "INSERT INTO kpi VALUES (?, ?, ?, ?)",
                [(number, row, name, value) for row, named in run.kpis.items() for name, value in named.items()],
            )


def read(path: Path, *, key: str = "", whole: str = "", most: int = 20) -> list[Run]:
    """The last runs with that key (or of that whole), oldest first; none where there is no history."""
    if not path.exists():
        return []
    with opened(path, _SCHEMA) as db:
        found = db.execute(
            "SELECT id, run, began, deployment, site, key, whole, faults, interrupted FROM run "
            "WHERE (? = '' OR key = ?) AND (? = '' OR whole = ?) ORDER BY began DESC, id DESC LIMIT ?",
            (key, key, whole, whole, most),
        ).fetchall()
        return [_read_run(db, *row) for row in reversed(found)]


def _read_run(db: sqlite3.Connection, number: int, *plain: Any) -> Run:
    run, began, deployment, site, key, whole, faults, interrupted = plain
    results = db.execute(_RESULTS, (number,))
    kpis: dict[str, dict[str, float]] = {}
    for row, name, value in db.execute("SELECT row, name, value FROM kpi WHERE run = ?", (number,)):
        kpis.setdefault(row, {})[name] = value
    return Run(
        run,
        began,
        deployment,
        site,
        key,
        whole,
        tuple(json.loads(faults)),
        interrupted,
        tuple(Result(case, of, row, Verdict(verdict), *rest) for case, of, row, verdict, *rest in results),
        kpis,
    )
