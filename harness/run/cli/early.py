"""What ``harness verify`` begins before it imports anything else: the process that its simulated worlds are forked from.

That one imports for as long as this one does, and there are two cores. Whatever is guessed wrong here costs time alone.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.support import resources
from harness.support.files import user_files
from harness.support.forkserver.environment import of_a_child
from harness.support.forkserver.process import ForkServer

#: Of a run that starts no world.
_STARTS_NOTHING = {"--plan", "--help", "-h"}
_SIMULATED = re.compile(r"""^\s*kind\s*=\s*["']simulated["']""", re.MULTILINE)

_begun: list[ForkServer] = []


@contextlib.contextmanager
def begun(arguments: Sequence[str]) -> Iterator[None]:
    """While this lasts there is a fork server for the worlds that these arguments of ``harness`` ask for, if they do."""
    if _asks_for_worlds(arguments):
        with contextlib.suppress(OSError):  # then each is started for itself
            _begun.append(ForkServer("harness.world.world", of_a_child()))
    try:
        yield
    finally:
        while _begun:
            _begun.pop().close()


def world_fork_server() -> ForkServer | None:
    """Where worlds are forked; None where there is no such place."""
    return _begun[0] if _begun else None


def _asks_for_worlds(arguments: Sequence[str]) -> bool:
    if arguments[:1] != ["verify"] or _STARTS_NOTHING.intersection(arguments):
        return False
    # os.path.isfile: no argument is too long for it, and no directory unreadable
    files = [file for argument in arguments[1:] if os.path.isfile(file := resources.deployment_file(Path(argument)))]
    return not files or any(map(_is_simulated, files))


def _is_simulated(file: Path) -> bool:
    try:
        return bool(_SIMULATED.search(user_files.read_text(file, user_files.SETTINGS)))
    except (OSError, ValueError):
        return False
