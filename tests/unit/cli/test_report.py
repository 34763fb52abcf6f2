"""``harness report``: its exit code is the run's."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from harness.cli.app import application
from harness.report.run import NEVER_ENDED, STOPPED


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.parametrize(
    ("interrupted", "code"), [("", 0), (STOPPED, 130), (f"{NEVER_ENDED}; {STOPPED}", 130), (NEVER_ENDED, 3)]
)
def test_of_a_run_that_somebody_stopped_it_is_130(
    tmp_path: Path, runs: ModuleType, interrupted: str, code: int
) -> None:
    made = runs.make_run(tmp_path, rows=("HOLD",), interrupted=interrupted)
    assert CliRunner().invoke(application(), ["report", str(made.directory)]).exit_code == code
