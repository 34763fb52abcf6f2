"""The command line as a user starts it: the only way in which the contract tests reach the harness."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("harness")


def start(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """Start ``harness`` in ``cwd``."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PYTHON"))
    }
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def harness(*arguments: str | Path, cwd: Path, exits: int = 0, **environment: str) -> str:
    """Run ``harness`` in ``cwd`` to its end, which must be the exit code ``exits``. Returns its
    standard output.
    """
    process = start(*arguments, cwd=cwd, **environment)
    output, errors = process.communicate()
    assert process.returncode == exits, output + errors
    return output
