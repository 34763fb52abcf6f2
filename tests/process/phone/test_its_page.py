"""docs/phones.md: its example is a program that runs."""

from __future__ import annotations

import subprocess
import sys

from tools import ROOT
from tools.pages import fences


def test_the_example_runs() -> None:
    (example,) = [
        fence.text for fence in fences(ROOT / "docs" / "phones.md") if fence.language == "python"
    ]
    example += "print(sum(isinstance(event, MarkHeard) for event in events))\n"
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
