"""Files that others make of a run's calls, read when its cases are over: ``--witness``, and
``[witness]`` of a deployment file.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.deployment import Deployment, WitnessFiles
from harness.deployment.grants import Grants
from harness.report.run_directory import read_cases
from harness.support.network_text import printable

if TYPE_CHECKING:
    from harness.report.witnesses import Told

#: Files in a folder that are older than this before the run are not of its calls. Clocks may
#: differ; last night's run is older.
_OLDER_S = 3600.0
_ENVIRONMENT = ("PATH", "HOME", "LANG")


def add_files(
    run: Path, deployments: Iterable[Deployment], given: Sequence[Path], grants: Grants
) -> list[str]:
    """Add the files to the evidence of a run whose cases are over; in lines, what went wrong and
    what each file shows.
    """
    from harness.report import (
        witnesses,
    )  # its libraries take time to import, and few runs have such files

    cases = read_cases(run)
    if not cases:
        return []
    began, ended = (
        min(case.began_wall for case in cases),
        max(case.wall(case.ended) for case in cases),
    )
    declared = dict.fromkeys(one.witness for one in deployments if one.witness is not None)
    lines: list[str] = []
    with ExitStack() as stack:
        made_at = next(iter(declared), WitnessFiles()).made_at
        places = [(path, made_at) for path in given]
        for one in declared:
            if one.directory is not None:
                folder = Path(one.directory)
                places += (
                    [(path, one.made_at) for path in _recent(folder, began)]
                    if folder.is_dir()
                    else []
                )
                lines += (
                    [] if folder.is_dir() else [f"[witness] directory: {folder}: no such folder"]
                )
            if one.command and grants.command:
                folder = Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-witness-"))
                )
                lines += _bring(one, grants.environment(), folder, began, ended)
                places.append((folder, one.made_at))
        reported: list[Told] = []
        missing = [path for path in given if not path.exists()]
        lines += [
            f"{path}: no such file; name sound files, captures, or folders of them"
            for path in missing
        ]
        for place in dict.fromkeys(place for _, place in places):
            # together: files of one folder tell of each other
            paths = [path for path, at in places if at == place and path not in missing]
            found, problems = witnesses.read_files(run, paths, place)
            reported += found
            lines += problems
        if reported:
            lines += [line for one in reported for line in witnesses.lines_of(run, one)]
            witnesses.add(run, reported)
    return [printable(line) for line in lines]


def _recent(folder: Path, began: float) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_mtime >= began - _OLDER_S:
            yield path


def _bring(
    declared: WitnessFiles,
    granted: Mapping[str, str],
    folder: Path,
    began: float,
    ended: float,
) -> Iterator[str]:
    """Run the command in the folder, with the time of the calls in its environment; a line if it
    failed. Its output is not kept.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= {name: granted[name] for name in declared.environment if name in granted}
    for name, moment in (("SINCE", began), ("UNTIL", ended)):
        environment[f"HARNESS_{name}"] = datetime.fromtimestamp(moment, UTC).isoformat(
            timespec="seconds"
        )
    nothing, within_s = subprocess.DEVNULL, declared.command_within_s
    why = ""
    try:
        done = subprocess.run(
            declared.command,
            cwd=folder,
            env=environment,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            timeout=within_s,
            check=False,
        )
        why = (
            f"exit code {done.returncode}; run it by hand in an empty folder"
            if done.returncode
            else ""
        )
    except subprocess.TimeoutExpired:
        why = f"took longer than {within_s:g} s (witness.command_within_s) and was ended"
    except OSError as error:
        why = f"{error.strerror}; name a program of the PATH, or by its whole path"
    if why:
        yield f"[witness] command {declared.command[0]}: {why}"
