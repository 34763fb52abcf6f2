"""``harness report``: its exit code is the run's."""

from __future__ import annotations

import _thread
import re
import tempfile
import threading
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from harness.errors import MistakeError
from harness.report import owners, signoff
from harness.report.run_directory import NEVER_ENDED, STOPPED
from harness.report.signoff import attest, manifest
from harness.run.cli import open as open_pages
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


def test_zip_prints_its_path_and_that_it_is_masked(tmp_path: Path, runs: ModuleType) -> None:
    """It was the fourth line of the run's whole result."""
    run = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), plays={"HOLD": runs.fails}).directory
    shown = reported([str(run), "--zip", "all"])
    assert shown.exit_code == 1, "the run's"
    assert shown.stdout == f"{run / 'report-all.zip'}\n"
    assert shown.stderr == "telephone numbers and digest answers in it are masked\n"
    assert (run / "report-all.zip").exists()
    shown = reported([str(run), "--zip", "HOLD", "--csv"])
    assert [Path(line).suffix for line in shown.stdout.splitlines()] == [".zip", ".csv"]


#: Behind the secret: a zero octet, a name that is too long, directories, ways out of the directory.
WRONG_PATHS = (
    *("", "nothing.html", "%00", "report.html%00", "x" * 300, "%F0%9F", "cases", "cases/"),
    *("../history.sqlite", "..%2fhistory.sqlite", "cases/../../history.sqlite", "%2fetc%2fpasswd"),
    *("/evil.example/%2f..", "/evil.example/..%2f", "%2f%2fevil.example/..", "link.html"),
)


def test_open_serves_the_runs_pages_behind_a_secret(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = runs.make_run(tmp_path / "reports", rows=("HOLD",))
    (made.directory / "report.html").write_text("page")
    (tmp_path / "reports" / "history.sqlite").touch()
    opened: list[str] = []
    answers: dict[str, tuple[int, str | None, bytes]] = {}

    def read_and_end(address: str) -> None:
        place = urlsplit(address)
        secret = place.path.split("/")[1]
        (made.directory / "link.html").symlink_to("/etc/passwd")  # since the check
        wrong = ("/report.html", *(f"/{secret}/{path}" for path in WRONG_PATHS))
        for path in (place.path, f"{place.path}?x=%00#y", *wrong):
            connection = HTTPConnection(place.hostname or "", place.port)
            connection.request("GET", path)
            answer = connection.getresponse()
            answers[path] = answer.status, answer.getheader("Location"), answer.read()
            connection.close()
        _thread.interrupt_main()

    def browse(address: str) -> None:
        opened.append(address)
        leading = Path(urlsplit(address).path)
        assert leading.parent.stat().st_mode & 0o777 == 0o700
        (target,) = re.findall('url=([^"]+)"', leading.read_text())
        opened.append(target)
        threading.Thread(target=read_and_end, args=(target,)).start()

    monkeypatch.setattr("webbrowser.open", browse)
    ended = CliRunner().invoke(application("open"), ["open", str(made.directory)])
    assert ended.exit_code == 0, ended.output
    argument, address = opened
    assert f"report    {address}" in ended.output
    assert urlsplit(address).path.split("/")[1] not in argument, "other users can read it"
    assert not Path(urlsplit(argument).path).exists()
    served = [path for path, (status, _, page) in answers.items() if page == b"page"]
    assert [path.partition("?")[0] for path in served] == [urlsplit(address).path] * 2
    rest = {answer[:2] for path, answer in answers.items() if path not in served}
    assert rest == {(404, None)}
    assert "Traceback" not in ended.output + ended.stderr


def test_open_shows_the_page_of_the_nights_of_a_directory_of_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nightly.html").write_text("page")
    monkeypatch.setattr(
        "webbrowser.open", lambda address: threading.Thread(target=_thread.interrupt_main).start()
    )
    ended = CliRunner().invoke(application("open"), ["open", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert re.search(r"^nights +http://127\.0\.0\.1:\d+/[\w-]+/nightly\.html$", ended.output, re.M)
    nothing = CliRunner().invoke(application("open"), ["open", str(tmp_path / "x")])
    assert "nightly.html" in str(nothing.exception)


@pytest.mark.parametrize(("error", "lines"), [(ConnectionResetError(), 0), (KeyError("x"), 1)])
def test_page_server_says_an_error_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    lines: int,
) -> None:
    """A browser that leaves a page while it is sent printed a traceback."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fails(*_: object) -> None:
        raise error

    with open_pages._Server(("127.0.0.1", 0), fails) as server:  # type: ignore[arg-type]
        server.daemon_threads = False
        with create_connection(("127.0.0.1", server.server_port)):
            server.handle_request()
        server.server_close()  # waits for the thread
    said = capsys.readouterr().err.splitlines()
    assert len(said) == lines
    assert all(
        line.startswith("ERROR: the harness has a fault: KeyError: 'x' at ") for line in said
    )


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
    for name in ("platform-administrator", "Trunk"):
        assert Path(reported([str(run), "--for", name]).output.strip()) == page
    for name in ("Synthflow", "ai side"):
        told = reported([str(run), "--for", name])
        assert f"nothing in {run.name} is for " in told.stderr
        assert "Nothing for " in Path(told.stdout.strip()).read_text()
    assert "(perhaps network)" in str(reported([str(run), "--for", "netwrk"]).exception)


def test_page_for_an_owner_keeps_call_ids_whole() -> None:
    """Who gets it searches logs for them; digits in them are no number by their form alone."""
    call_id = "39e16e8a8c4f446c8f278235238391d8"
    assert owners._masked(call_id) != call_id
    assert owners._masked(owners._as_call_id(call_id)) == call_id
