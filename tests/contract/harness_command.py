"""The command line as a user starts it: the only way in which the contract tests reach the harness."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("harness")
#: The moment that every plan is made for, so that opening hours do not depend on the clock: a Wednesday afternoon.
AS_OF = "2026-03-11T15:00:00+00:00"


def harness(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``harness`` in ``cwd`` and wait for its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment | {"HARNESS_AS_OF": AS_OF},
        capture_output=True,
        text=True,
        check=False,
    )
