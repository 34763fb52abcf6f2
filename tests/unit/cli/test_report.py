"""``harness report``: its exit code is the run's."""

from __future__ import annotations

import _thread
import threading
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from harness.errors import MistakeError
from harness.report import signoff
from harness.report.run_directory import NEVER_ENDED, STOPPED
from harness.report.signoff import attest, manifest
from harness.run.cli.app import application


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


def reported(arguments: list[str]) -> Any:
    return CliRunner().invoke(application("report"), ["report", *arguments])


@pytest.mark.parametrize(
    ("interrupted", "code"),
    [("", 0), (STOPPED, 130), (f"{NEVER_ENDED}; {STOPPED}", 130), (NEVER_ENDED, 3)],
)
def test_report_of_an_interrupted_run_exits_with_130(
    tmp_path: Path, runs: ModuleType, interrupted: str, code: int
) -> None:
    made = runs.make_run(tmp_path, rows=("HOLD",), interrupted=interrupted)
    assert reported([str(made.directory)]).exit_code == code


def test_run_without_its_scope_is_not_merged(tmp_path: Path, runs: ModuleType) -> None:
    """Its faults and options would be lost, and the sign-off would apply the other run's scope to
    both.
    """
    whole = runs.make_run(tmp_path, rows=("HOLD",)).directory
    faulty = runs.make_run(tmp_path, rows=("BUSY",), options={"fault": ["heavy-loss"]}).directory
    (faulty / "scope.json").unlink()
    manifest.write(faulty)
    ended = reported([str(whole), str(faulty), "--into", str(tmp_path / "both")])
    assert isinstance(ended.exception, MistakeError)
    assert str(ended.exception).startswith(f"{faulty / 'scope.json'}: is missing")
    assert not (tmp_path / "both").exists()


def test_missing_manifest_is_not_made_again(tmp_path: Path, runs: ModuleType) -> None:
    """A new manifest would vouch for files that may have changed."""
    made = runs.make_run(tmp_path, rows=("HOLD",)).directory
    (made / manifest.FILE).unlink()
    for _ in range(2):
        ended = reported([str(made)])
        assert ended.exit_code == 0
        assert f"no sign-off: {made / manifest.FILE} is missing" in ended.output
        assert (made / "report.html").exists()
        assert not list(made.glob("signoff.*"))

    other = runs.make_run(tmp_path, rows=("BUSY",)).directory
    ended = reported([str(made), str(other), "--into", str(tmp_path / "both")])
    assert isinstance(ended.exception, MistakeError)
    assert "signoff.manifest.json is missing, so the files of the run cannot be checked" in str(
        ended.exception
    )
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("name", ["signoff.html", "signoff.intoto.json"])
def test_signoff_without_its_manifest_is_refused(
    tmp_path: Path, runs: ModuleType, name: str
) -> None:
    made = runs.make_run(tmp_path, rows=("HOLD",)).directory
    (made / manifest.FILE).unlink()
    (made / name).touch()
    ended = reported([str(made)])
    assert isinstance(ended.exception, MistakeError)
    assert "signoff.manifest.json is missing" in str(ended.exception)


def test_files_without_signature_are_listed(tmp_path: Path, runs: ModuleType) -> None:
    """An edited report may lie beside a genuine sign-off."""
    made = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
    public = attest.make_keys(tmp_path / "key.pem")
    assert reported([str(made)]).exit_code == 0
    signoff.make(made, key=tmp_path / "key.pem")
    (made / "report.html").write_text("everything passed")
    ended = CliRunner().invoke(
        application(), ["signoff", "verify", str(made), "--key", str(public)]
    )
    assert (
        "not covered, whatever they say: causes.json, junit.xml, report.html, summary.json"
        in ended.output
    )


def test_matrix_is_printed_and_nothing_is_written(tmp_path: Path, runs: ModuleType) -> None:
    run = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), plays={"HOLD": runs.fails}).directory
    before = sorted(path.name for path in run.iterdir())
    shown = reported([str(run), "--matrix"])
    assert shown.exit_code == 1, "the run's"
    assert "The caller holds and resumes HOLD" in shown.output
    assert reported([str(run), "--matrix", "--as", "markdown"]).output.startswith("### example")
    assert reported([str(run), "--matrix", "--as", "svg"]).output.startswith("<svg ")
    for wrong in (["--as", "svg"], ["--matrix", "--csv"], ["--matrix", "--rejudge"]):
        assert isinstance(reported([str(run), *wrong]).exception, MistakeError), wrong
    assert sorted(path.name for path in run.iterdir()) == before


def test_open_serves_the_runs_pages_behind_a_secret(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runs.make_run(tmp_path / "reports", rows=("HOLD",))
    (made.directory / "report.html").write_text("page")
    opened: list[str] = []
    answers: list[int] = []

    def read_and_end(address: str) -> None:
        place = urlsplit(address)
        secret = place.path.split("/")[1]
        for path in (place.path, "/report.html", f"/{secret}/", f"/{secret}/../history.sqlite"):
            connection = HTTPConnection(place.hostname or "", place.port)
            connection.request("GET", path)
            answers.append(connection.getresponse().status)
            connection.close()
        _thread.interrupt_main()

    def browse(address: str) -> None:
        opened.append(address)
        threading.Thread(target=read_and_end, args=(address,)).start()

    monkeypatch.setattr("webbrowser.open", browse)
    ended = CliRunner().invoke(application("open"), ["open", str(made.directory)])
    assert ended.exit_code == 0, ended.output
    assert f"report    {opened[0]}" in ended.output
    assert answers == [200, 404, 404, 404]


def test_page_for_an_owner_has_its_calls_with_masked_numbers(
    tmp_path: Path, runs: ModuleType
) -> None:
    def fails(case: Any, recorder: Any) -> tuple[object, ...]:
        cause = {
            "id": "x",
            "cause": "Calls drop: the trunk is full",
            "owner": "trunk",
            "fix": "Enlarge it.",
        }
        return *runs.fails(case, recorder), [{**cause, "confidence": "certain"}]

    run = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), plays={"HOLD": fails}).directory
    page = Path(reported([str(run), "--for", "platform administrator"]).output.strip())
    text = page.read_text()
    for words in (
        "Calls drop: the trunk is full",
        "Enlarge it.",
        "The caller holds and resumes",
        "INVITE sip:",
    ):
        assert words in text, words
    assert "3125550100" not in text
    assert manifest.differences(run) == [], "a view"
    assert "theirs" in Path(reported([str(run), "--for", "Synthflow"]).output.strip()).read_text()
    assert "(perhaps network)" in str(reported([str(run), "--for", "netwrk"]).exception)
