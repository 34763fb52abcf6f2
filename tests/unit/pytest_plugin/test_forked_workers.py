"""What the fork server of the workers has imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_controller_imports_only_what_workers_need() -> None:
    """Preflight is imported later, while the world starts."""
    asked = (
        "import sys\n"
        "from importlib import import_module\n"
        "from harness.run.plugin import workers\n"
        "for module in workers._NEEDED: import_module(module)\n"
        "names = 'harness.scenario.cast', 'harness.run.preflight', 'dns', 'cryptography', 'aiohttp'\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['harness.scenario.cast', 'aiohttp']"
