"""What the fork server of the workers has imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("modules", "imported"),
    [("_SHARED", []), ("_OF_WORKERS", ["harness.scenario.cast", "aiohttp"])],
)
def test_controller_imports_nothing_that_only_workers_or_preflight_need(
    modules: str, imported: list[str]
) -> None:
    """The fork imports what workers alone need; preflight is imported while the world starts, and
    what makes reports at the end.
    """
    asked = (
        "import importlib, sys\n"
        "from harness.run.plugin import workers\n"
        f"for module in workers.{modules}: importlib.import_module(module)\n"
        "names = 'harness.scenario.cast', 'harness.run.preflight', 'dns', 'cryptography', 'aiohttp', "
        "'jinja2', 'harness.report.allure', 'harness.report.history'\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(imported)
