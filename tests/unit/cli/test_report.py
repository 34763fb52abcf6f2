"""``harness report``: its exit code is the run's."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from harness.cli.app import application
from harness.errors import MistakeError
from harness.report.never_ended import NEVER_ENDED
from harness.report.run import STOPPED
from harness.signoff import manifest


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


def test_a_run_without_its_scope_is_not_merged_with_one_that_has_it(tmp_path: Path, runs: ModuleType) -> None:
    """Its injected faults and its options would be told nowhere, and the sign-off would take the other's scope for both."""
    whole = runs.make_run(tmp_path, rows=("HOLD",)).directory
    faulty = runs.make_run(tmp_path, rows=("BUSY",), options={"fault": ["heavy-loss"]}).directory
    (faulty / "scope.json").unlink()
    manifest.write(faulty)
    ended = CliRunner().invoke(application(), ["report", str(whole), str(faulty), "--into", str(tmp_path / "both")])
    assert isinstance(ended.exception, MistakeError)
    assert str(ended.exception).startswith(f"{faulty / 'scope.json'}: is missing")
    assert not (tmp_path / "both").exists()


def test_a_case_to_bundle_that_there_is_not_is_said_before_anything_is_made(tmp_path: Path, runs: ModuleType) -> None:
    """The views of thousands of cases take half a minute."""
    made = runs.make_run(tmp_path, rows=("HOLD",))
    before = {path.name for path in made.directory.iterdir()}
    ended = CliRunner().invoke(application(), ["report", str(made.directory), "--zip", "BUSY"])
    assert isinstance(ended.exception, MistakeError)
    assert {path.name for path in made.directory.iterdir()} == before
    assert CliRunner().invoke(application(), ["report", str(made.directory), "--zip", "HOLD"]).exit_code == 0


def test_of_a_run_whose_manifest_is_gone_no_other_is_made(tmp_path: Path, runs: ModuleType) -> None:
    """It would vouch for whatever is there by now. A run that made no reports (--no-reports, a full disk) has none yet."""
    made = runs.make_run(tmp_path, rows=("HOLD",)).directory
    (made / manifest.FILE).unlink()
    assert CliRunner().invoke(application(), ["report", str(made)]).exit_code == 0
    assert manifest.differences(made) == []

    (made / manifest.FILE).unlink()
    ended = CliRunner().invoke(application(), ["report", str(made)])
    assert isinstance(ended.exception, MistakeError)
    assert "signoff.manifest.json: is missing, so nobody knows what the run left" in str(ended.exception)
    assert not (made / manifest.FILE).exists()
