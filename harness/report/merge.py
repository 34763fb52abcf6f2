"""The runs of several sites, or several runs of one, as one run: nothing is lost, and nothing is
counted twice.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from harness.case.log import CASE
from harness.errors import MistakeError
from harness.report import scope as scopes
from harness.report import witnesses
from harness.report.evidence import CaseKey, PlainCase, case_of, key_of
from harness.report.run_directory import (
    ALLURE,
    CASES,
    PREFLIGHT,
    RunEnd,
    create,
    read_planned,
    read_witnesses,
    write_end,
)
from harness.report.scope import DeploymentScope, Options, Scope, versions_together
from harness.support.files import json_file, whole_file

#: Options that are true of a run made of several where they are of one of these; other lists make a
#: run smaller.
_NO_LIMITS = ("fault", "deployment", "require", "grant")
#: What tells one attempt at a case from all others: site, id, when it began, and the process it ran
#: in.
_Identity = tuple[str, str, float, int]


def merge(runs: Sequence[Path], reports: Path) -> Path:
    """Make one run of several in ``reports``; returns its directory. The given ones stay as they
    are.

    A case that a site ran in two of them has two attempts; the later one counts. Raises
    :class:`MistakeError` when they are not of one deployment file.
    """
    parts = [_Part.read(run) for run in {run.resolve(): None for run in runs}]
    scope = _scope([part.scope for part in parts if part.scope])
    target = create(reports.resolve())
    copied: set[_Identity] = set()
    for part in parts:
        for case, plain in part.reported.items():
            _copy_case(case, plain, target, copied)
    if scope:
        scopes.write(target, scope)
    if added := {one["sha256"]: one for part in parts for one in read_witnesses(part.run)}:
        witnesses.write(target, added.values())
    looked = [line for part in parts for line in _preflight(part.run)]
    whole_file.write(target / PREFLIGHT, json.dumps(looked, indent=1) + "\n")
    planned = {key_of(case): case for part in parts for case in part.planned}
    in_order = sorted(parts, key=lambda part: part.began)
    began = {key_of(plain): part.began for part in in_order for plain in part.reported.values()}
    ends = [
        (part.run.name, part.began, replace(part.end, broke=part.broke(began))) for part in parts
    ]
    write_end(target, list(planned.values()), _end(ends, target / ALLURE))
    return target


@dataclass(frozen=True)
class _Part:
    """One of the runs; ``reported`` has the plain data of each case, by its file."""

    run: Path
    scope: Scope | None
    planned: Sequence[PlainCase]
    end: RunEnd
    reported: Mapping[Path, PlainCase]

    @classmethod
    def read(cls, run: Path) -> _Part:
        """Raises :class:`MistakeError` for a case that cannot be read."""
        cases = {case: _read_case(case) for case in sorted((run / CASES).glob(f"*/{CASE}"))}
        return cls(run, scopes.read(run), *read_planned(run), cases)

    @property
    def began(self) -> float:
        return self.scope.began if self.scope else 0.0

    def broke(self, began: Mapping[CaseKey, float]) -> tuple[str, ...]:
        """What broke in it besides its cases: also what did not run, where evidence of an earlier
        run would hide that.

        ``began`` is when the last run began that reported the case.
        """
        if self.end.interrupted:
            return self.end.broke
        lost = (case for case in self.planned if began.get(key_of(case), self.began) < self.began)
        return *self.end.broke, *(f"{self.run.name}: {case.get('id')} was not run" for case in lost)


def _read_case(case: Path) -> PlainCase:
    try:
        return case_of(json_file.read(case))
    except (OSError, ValueError, TypeError) as error:
        raise MistakeError(f"{case}: cannot be read: {error}") from error


def _copy_case(case: Path, plain: PlainCase, target: Path, copied: set[_Identity]) -> None:
    """Copy a case's directory, unless it is one that was copied already."""
    identity = (*key_of(plain), plain.get("began_wall", 0.0), plain.get("pid", 0))
    if identity not in copied:
        name = case.parent.name
        free = (
            target / CASES / (f"{name}~{number}" if number else name)
            for number in range(len(copied) + 1)
        )
        chosen = next(path for path in free if not path.exists())
        shutil.copytree(case.parent, chosen, symlinks=True)
        copied.add(identity)


def _preflight(run: Path) -> list[Any]:
    try:
        return list(json_file.read(run / PREFLIGHT))
    except (OSError, ValueError, TypeError):
        return [
            {
                "deployment": run.name,
                "lines": [{"name": "preflight", "status": "not run", "detail": "", "fix": ""}],
            }
        ]


def _end(known: Sequence[tuple[str, float, RunEnd]], allure_results: Path) -> RunEnd:
    """The end of all of them; of each its name, when it began, and its own end."""
    ends = [end for _, _, end in known]
    made_of: dict[str, str] = {}
    for name, _, end in known:  # one that was merged itself was made of others
        made_of |= end.made_of or {name: end.command}
    workers, wall_s = _at_work(
        [(began, began + end.wall_s, end.workers) for _, began, end in known]
    )
    return RunEnd(
        workers=workers,
        wall_s=wall_s,
        interrupted="; ".join(dict.fromkeys(end.interrupted for end in ends if end.interrupted)),
        broke=tuple(dict.fromkeys(line for end in ends for line in end.broke)),
        allure_results=allure_results,
        command=" + ".join(made_of),
        made_of=made_of,
    )


def _at_work(spans: Sequence[tuple[float, float, int]]) -> tuple[int, float]:
    """How many workers there were at once, and for how many seconds any were: runs after one
    another, or beside each other.
    """
    changes = sorted(
        (at, change)
        for began, ended, workers in spans
        for at, change in ((began, workers), (ended, -workers))
    )
    most, seconds, now, since = 0, 0.0, 0, 0.0
    for at, change in changes:
        seconds += at - since if now else 0.0
        now, since = now + change, at
        most = max(most, now)
    return most, seconds


def _scope(scopes_found: Sequence[Scope]) -> Scope | None:
    """What all of them were asked for together; the same deployment of two sites stays two."""
    if not scopes_found:
        return None
    deployments: dict[tuple[str, str], DeploymentScope] = {}
    hashes: dict[str, str] = {}
    for scope in scopes_found:
        for one in scope.deployments:
            if hashes.setdefault(one.name, one.hash) != one.hash:
                raise MistakeError(
                    f"{one.name}: the runs were made with different deployment files; allowed: runs of one file"
                )
            known = deployments.get((one.name, one.site))
            deployments[(one.name, one.site)] = scopes.together(known, one) if known else one
    return Scope(
        began=min(scope.began for scope in scopes_found),
        options=_options([scope.options for scope in scopes_found]),
        command=" + ".join(dict.fromkeys(scope.command for scope in scopes_found)),
        deployments=tuple(deployments.values()),
        required={case: kinds for scope in scopes_found for case, kinds in scope.required.items()},
        versions=versions_together(scope.versions for scope in scopes_found),
    )


def _options(every: Sequence[Mapping[str, Any]]) -> Options:
    """Each option as given; where the runs differ, all that was given, each once. A run may have
    put down none of that name.
    """
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for options in every for name in options):
        values = [options[name] for options in every if name in options]
        of_all = len(values) == len(every) and all(values)
        if all(isinstance(value, list) for value in values):
            # an empty list is no limit, and so is a limit that not every run had
            taken = values if of_all or name in _NO_LIMITS else []
            found[name] = list(dict.fromkeys(item for value in taken for item in value))
        elif name == "keyword":  # an expression of pytest's; it is a limit as well
            found[name] = " or ".join(dict.fromkeys(map(str, values))) if of_all else ""
        elif all(value == values[0] for value in values):
            found[name] = values[0]
        else:
            found[name] = ", ".join(
                dict.fromkeys(
                    {True: "yes", False: "no"}[v] if isinstance(v, bool) else str(v) for v in values
                )
            )
    return cast("Options", found)
