"""Command lines to copy: how to have one case explained, and how to run it again."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.report.evidence import CaseEvidence

#: Axes that an option of ``harness verify`` chooses; a case with any other goes by its name (``-k``).
_OPTIONS = {"transport": "--transport", "authentication": "--auth", "codec": "--codec", "ai": "--ai"}


#: What of the run's own command the case depends on.
_KEPT = ("--fault=", "--timings=", "--preflight=")


_FLAGS = ("--live", "--no-manual")


#: What a name in an expression of pytest's ``-k`` has no place for.
_NO_NAME = re.compile(r"[^\w:+\-.\[\]\\/]+")


def explain(run: str, case: CaseEvidence) -> str:
    """``harness explain`` for the case: by its id, or by its directory where others of the run have its id, too."""
    home = case.directory
    # as a merged run's (harness.report.merge)
    has_twin = "~" in home.name or home.with_name(f"{home.name}~1").exists()
    return shlex.join(["harness", "explain", run, home.name if has_twin else case.id])


def verify(command: str, case: CaseEvidence) -> str:
    """``harness verify`` for the case alone; ``command`` is that of its run, from which come the files and the faults."""
    words = _words(command)
    files = [word.removeprefix("--deployment=") for word in words if word.startswith("--deployment=")]
    if not files:  # of a run that was killed: as it was given to harness verify
        files = [word for word in words if word.endswith(".toml")]
    deployment = str(case.case.get("deployment", ""))
    named = [file for file in files if Path(file).stem == deployment] or files or ["FILE"]
    again = ["harness", "verify", *named, "--row", case.row]
    for axis, value in case.axes.items():
        if axis in _OPTIONS:
            again += [_OPTIONS[axis], value]
    if case.axes.keys() - _OPTIONS:  # their values may be masked, and are no words of an expression
        again += ["-k", _NO_NAME.sub(" and ", case.id)]
    for word in words:
        if word.startswith(_KEPT) and word != "--timings=quick":
            again += word.split("=", 1)
    return shlex.join([*again, *(word for word in _FLAGS if word in words)])


def faults(command: str) -> list[str]:
    """What a run's command injected on purpose."""
    return [word.removeprefix("--fault=") for word in _words(command) if word.startswith("--fault=")]


@cache
def _words(command: str) -> tuple[str, ...]:
    """The words of a run's command, which all its cases share."""
    return tuple(_joined(shlex.split(command)))


def _joined(words: Sequence[str]) -> list[str]:
    """``--name value`` as ``--name=value``."""
    found: list[str] = []
    for word in words:
        if found and found[-1] in ("--deployment", "--fault", "--timings", "--preflight"):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def relative(path: Path) -> str:
    """The path as it is shortest to type from here."""
    return min(str(path), os.path.relpath(path), key=len)


def short_path(run: Path) -> str:
    """The run's directory as one types it from a checkout."""
    return str(Path(*run.parts[-2:])) if run.parent.name == "reports" else str(run)
