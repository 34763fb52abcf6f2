"""Files that others make of a run's calls, read when its cases are over: ``--witness``, and
``[witness]`` of a deployment file.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
    declared = dict.fromkeys(one.witness for one in deployments if one.witness is not None)
    has_folders = any(one.directory is not None for one in declared)
    has_commands = grants.command and any(one.command for one in declared)
    if not given and not has_folders and not has_commands:
        return []
    # its libraries take time to import, and few runs have such files
    from harness.report import witnesses

    cases = read_cases(run)
    if not cases:
        return []
    began = min(case.began_wall for case in cases)
    ended = max(case.wall(case.ended) for case in cases)
    lines: list[str] = []
    #: By where they were made.
    paths: dict[Literal["ai", "platform"], list[Path]] = defaultdict(list)
    first = next(iter(declared), WitnessFiles())
    for path in given:
        if path.exists():
            paths[first.made_at].append(path)
        else:
            lines.append(f"{path}: no such file; name sound files, captures, or folders of them")
    with ExitStack() as stack:
        for one in declared:
            if one.directory is not None:
                folder = Path(one.directory)
                if folder.is_dir():
                    paths[one.made_at] += _recent(folder, began)
                else:
                    lines.append(f"[witness] directory: {folder}: no such folder")
            if one.command and grants.command:
                brought = tempfile.TemporaryDirectory(prefix="harness-witness-")
                folder = Path(stack.enter_context(brought))
                lines += _bring(one, grants.environment(), folder, began, ended)
                paths[one.made_at].append(folder)
        reported: list[Told] = []
        for made_at, together in paths.items():  # files of one folder tell of each other
            found, problems = witnesses.read_files(run, together, made_at)
            reported += found
            lines += problems
        if reported:
            for account in reported:
                lines += witnesses.lines_of(run, account)
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
    for name, at in (("SINCE", began), ("UNTIL", ended)):
        moment = datetime.fromtimestamp(at, UTC)
        environment[f"HARNESS_{name}"] = moment.isoformat(timespec="seconds")
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
        if done.returncode:
            why = f"exit code {done.returncode}; run it by hand in an empty folder"
    except subprocess.TimeoutExpired:
        why = f"took longer than {within_s:g} s (witness.command_within_s) and was ended"
    except OSError as error:
        why = f"{error.strerror}; name a program of the PATH, or by its whole path"
    if why:
        yield f"[witness] command {declared.command[0]}: {why}"
