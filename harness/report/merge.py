"""The runs of several sites, or several runs of one, as one run: nothing is lost, and nothing is
counted twice.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    AddedFile,
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
    each_once = dict.fromkeys(run.resolve() for run in runs)
    parts = [_Part.read(run) for run in each_once]
    scope = _scope([part.scope for part in parts if part.scope])
    target = create(reports.resolve())
    copied: set[_Identity] = set()
    for part in parts:
        for case, plain in part.reported.items():
            _copy_case(case, plain, target, copied)
    if scope:
        scopes.write(target, scope)
    added: dict[str, AddedFile] = {}
    preflight: list[Any] = []
    planned: dict[CaseKey, PlainCase] = {}
    for part in parts:
        added |= {file["sha256"]: file for file in read_witnesses(part.run)}
        preflight += _preflight(part.run)
        planned |= {key_of(case): case for case in part.planned}
    if added:
        witnesses.write(target, added.values())
    whole_file.write(target / PREFLIGHT, json.dumps(preflight, indent=1) + "\n")
    write_end(target, list(planned.values()), _end(parts, target / ALLURE))
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
        broke = list(self.end.broke)
        for case in self.planned:
            if began.get(key_of(case), self.began) < self.began:
                broke.append(f"{self.run.name}: {case.get('id')} was not run")
        return tuple(broke)


def _read_case(case: Path) -> PlainCase:
    try:
        return case_of(json_file.read(case))
    except (OSError, ValueError, TypeError) as error:
        raise MistakeError(f"{case}: cannot be read: {error}") from error


def _copy_case(case: Path, plain: PlainCase, target: Path, copied: set[_Identity]) -> None:
    """Copy a case's directory, unless it is one that was copied already."""
    identity = (*key_of(plain), plain.get("began_wall", 0.0), plain.get("pid", 0))
    if identity not in copied:
        shutil.copytree(case.parent, _free(target / CASES, case.parent.name), symlinks=True)
        copied.add(identity)


def _free(folder: Path, name: str) -> Path:
    """The first of NAME, NAME~1, NAME~2, … that the folder does not have yet."""
    chosen, number = folder / name, 0
    while chosen.exists():
        number += 1
        chosen = folder / f"{name}~{number}"
    return chosen


def _preflight(run: Path) -> list[Any]:
    try:
        return list(json_file.read(run / PREFLIGHT))
    except (OSError, ValueError, TypeError):
        line = {"name": "preflight", "status": "not run", "detail": "", "fix": ""}
        return [{"deployment": run.name, "lines": [line]}]


def _end(parts: Sequence[_Part], allure_results: Path) -> RunEnd:
    """The end of all of them."""
    last_began: dict[CaseKey, float] = {}
    for part in sorted(parts, key=lambda part: part.began):
        for plain in part.reported.values():
            last_began[key_of(plain)] = part.began
    made_of: dict[str, str] = {}
    spans = []
    broke: list[str] = []
    for part in parts:
        end = part.end
        # one that was merged itself was made of others
        made_of |= end.made_of or {part.run.name: end.command}
        spans.append((part.began, part.began + end.wall_s, end.workers))
        broke += part.broke(last_began)
    workers, wall_s = _at_work(spans)
    interrupted = [part.end.interrupted for part in parts if part.end.interrupted]
    return RunEnd(
        workers=workers,
        wall_s=wall_s,
        interrupted="; ".join(dict.fromkeys(interrupted)),
        broke=tuple(dict.fromkeys(broke)),
        allure_results=allure_results,
        command=" + ".join(made_of),
        made_of=made_of,
    )


def _at_work(spans: Sequence[tuple[float, float, int]]) -> tuple[int, float]:
    """How many workers there were at once, and for how many seconds any were: runs after one
    another, or beside each other.
    """
    changes = []
    for began, ended, workers in spans:
        changes += [(began, workers), (ended, -workers)]
    most, seconds, now, since = 0, 0.0, 0, 0.0
    for at, change in sorted(changes):
        if now:
            seconds += at - since
        now += change
        since = at
        most = max(most, now)
    return most, seconds


def _scope(scopes_found: Sequence[Scope]) -> Scope | None:
    """What all of them were asked for together; the same deployment of two sites stays two."""
    if not scopes_found:
        return None
    deployments: dict[tuple[str, str], DeploymentScope] = {}
    hashes: dict[str, str] = {}
    required: dict[str, Any] = {}
    for scope in scopes_found:
        required |= scope.required
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
        required=required,
        versions=versions_together(scope.versions for scope in scopes_found),
    )


def _options(every: Sequence[Mapping[str, Any]]) -> Options:
    """Each option as given; where the runs differ, all that was given, each once. A run may have
    put down none of that name.
    """
    found: dict[str, Any] = {}
    for name in dict.fromkeys(itertools.chain.from_iterable(every)):
        values = [options[name] for options in every if name in options]
        of_all = len(values) == len(every) and all(values)
        if all(isinstance(value, list) for value in values):
            # an empty list is no limit, and so is a limit that not every run had
            taken = values if of_all or name in _NO_LIMITS else []
            found[name] = list(dict.fromkeys(itertools.chain.from_iterable(taken)))
        elif name == "keyword":  # an expression of pytest's; it is a limit as well
            found[name] = " or ".join(dict.fromkeys(map(str, values))) if of_all else ""
        elif all(value == values[0] for value in values):
            found[name] = values[0]
        else:
            found[name] = ", ".join(dict.fromkeys(map(_in_words, values)))
    return cast("Options", found)


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
