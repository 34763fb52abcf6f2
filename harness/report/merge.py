"""The runs of several sites, or several runs of one, as one run: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import MistakeError
from harness.report import scope as scopes
from harness.report.evidence import key_of
from harness.report.recorder import CASE
from harness.report.run import ALLURE, CASES, RunEnd, create, read_planned, write_end
from harness.report.scope import DeploymentScope, Scope

_PREFLIGHT = "preflight.json"


def merge(runs: Sequence[Path], reports: Path) -> Path:
    """Make one run of several in ``reports``; returns its directory. The given ones stay as they are.

    A case that a site ran in two of them has two attempts; the later one counts. Raises :class:`MistakeError` when they are
    not of one deployment file.
    """
    distinct = list({run.resolve(): None for run in runs})
    known = [(run, scopes.read(run), *read_planned(run)) for run in distinct]
    scope = _scope([found for _, found, _, _ in known if found])
    target = create(reports)
    copied: set[tuple[str, str, float, int]] = set()
    for run in distinct:
        for case in sorted((run / CASES).glob(f"*/{CASE}")):
            _copy_case(case, target, copied)
        if (run / ALLURE).is_dir():
            shutil.copytree(run / ALLURE, target / ALLURE, dirs_exist_ok=True)
    if scope:
        scopes.write(target, scope)
    looked = [line for run in distinct for line in _preflight(run)]
    (target / _PREFLIGHT).write_text(json.dumps(looked, indent=1) + "\n", encoding="utf-8")
    planned = {key_of(case): case for _, _, cases, _ in known for case in cases}
    write_end(target, list(planned.values()), _end([end for _, _, _, end in known], [run.name for run in distinct]))
    return target


def _copy_case(case: Path, target: Path, copied: set[tuple[str, str, float, int]]) -> None:
    """Copy a case's directory, unless it is one that was copied already."""
    try:
        plain = json.loads(case.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MistakeError(f"{case}: cannot be read: {error}") from error
    identity = (*key_of(plain), float(plain.get("began_wall", 0.0)), int(plain.get("pid", 0)))
    if identity in copied:
        return
    copied.add(identity)
    name = case.parent.name
    free = (target / CASES / (f"{name}~{number}" if number else name) for number in range(len(copied)))
    shutil.copytree(case.parent, next(path for path in free if not path.exists()), symlinks=True)


def _preflight(run: Path) -> list[Any]:
    try:
        found = json.loads((run / _PREFLIGHT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [
            {"deployment": run.name, "lines": [{"name": "preflight", "status": "not run", "detail": "", "fix": ""}]}
        ]
    return list(found)


def _end(ends: Sequence[RunEnd], names: Sequence[str]) -> RunEnd:
    interrupted = dict.fromkeys(end.interrupted for end in ends if end.interrupted)
    return RunEnd(
        workers=sum(end.workers for end in ends),
        wall_s=max(end.wall_s for end in ends),
        interrupted="; ".join(interrupted),
        broke=tuple(dict.fromkeys(line for end in ends for line in end.broke)),
        command=" + ".join(names),
    )


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
    )


def _options(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each option as given; where the runs differ, all that was given."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for options in every for name in options):
        values = [options.get(name) for options in every]
        lists = [value for value in values if isinstance(value, list)]
        if len(lists) == len(values):
            # an empty list is no limit, and so is a limit that not every run had
            limits = lists if name in ("fault", "deployment") or all(lists) else []
            found[name] = list(dict.fromkeys(item for value in limits for item in value))
        else:
            found[name] = values[0] if all(value == values[0] for value in values) else ", ".join(map(str, values))
    return found
