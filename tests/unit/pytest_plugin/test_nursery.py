"""What the process has imported that a run's workers are forked from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_workers_carry_nothing_that_preflight_alone_needs() -> None:
    """The controller imports it while the world starts; before that, the first INVITE would wait for it."""
    asked = (
        "import sys\n"
        "from importlib import import_module\n"
        "from harness.pytest_plugin import nursery\n"
        "for module in nursery._NEEDED: import_module(module)\n"
        "print([name for name in ('harness.scenario.cast', 'harness.preflight', 'dns', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['harness.scenario.cast']"
