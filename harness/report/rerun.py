"""Command lines to copy: how to have one case explained, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.report.evidence import CaseEvidence

#: Axes that an option of ``harness verify`` chooses; every other goes by name (``-k``).
_OPTIONS = {"transport": "--transport", "authentication": "--auth", "codec": "--codec", "ai": "--ai"}
#: What of the run's own command the case depends on.
_KEPT = ("--fault=", "--timings=", "--preflight=")
_FLAGS = ("--live", "--no-manual")


def explain(run: str, case: CaseEvidence) -> str:
    """``harness explain`` for the case."""
    return shlex.join(["harness", "explain", run, case.id])


def verify(command: str, case: CaseEvidence) -> str:
    """``harness verify`` for the case alone; ``command`` is that of its run, from which come the files and the faults."""
    words = _words(command)
    files = [word.removeprefix("--deployment=") for word in words if word.startswith("--deployment=")]
    deployment = str(case.case.get("deployment", ""))
    named = [file for file in files if Path(file).stem == deployment] or files or ["FILE"]
    again = ["harness", "verify", *named, "--row", case.row]
    for axis, value in case.axes.items():
        if axis in _OPTIONS:
            again += [_OPTIONS[axis], value]
    if others := [value for axis, value in case.axes.items() if axis not in _OPTIONS]:
        again += ["-k", " and ".join(others)]
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
