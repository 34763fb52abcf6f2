"""A Python for whole runs that begins with all that they import: an interpreter that imports it
anew is most of what a short run costs.

Nothing else of a run is different but who its processes' parents are, and what
``/proc/<pid>/environ`` has. A test that sends signals to a run or looks for its processes starts it
as a user does, and so do some of every kind.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.support.forkserver import ForkServer, interpreter, of_a_child

VARIABLE = "FORKED_PYTHON"
#: As much of an interpreter as a fork server is: it takes code and modules, and no options of the
#: interpreter's own.
_PROGRAM = """#!/bin/sh
case $1 in -c|-m|-u) exec {forked} "$@" ;; *) exec {python} "$@" ;; esac
"""


@contextlib.contextmanager
def forked_python(directory: Path) -> Iterator[str]:
    """The path of such a program, which is in ``directory``, while this lasts."""
    program = directory / "python"
    without_pythons = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    fork_server = ForkServer(
        "tests.imported", {**of_a_child(without_pythons), VARIABLE: str(program)}
    )
    try:
        forked = shlex.join(interpreter(fork_server.path))
        program.write_text(
            _PROGRAM.format(forked=forked, python=shlex.quote(sys.executable)), encoding="utf-8"
        )
        program.chmod(0o700)
        yield str(program)
    finally:
        fork_server.close()
