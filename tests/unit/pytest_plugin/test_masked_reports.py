"""Terminal output of a case is masked like its evidence, since CI keeps it."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.verdict import CaseOutcome, DidNotPassError, Finding, Verdict
from harness.run import preflight
from harness.run.plugin import cases, parallel
from harness.run.plugin.cases import Attempt
from harness.run.plugin.progress import Progress
from harness.run.preflight import ProbeKind, ProbeResult, Report, Status
from harness.run.preflight.lines import RowNeed

NUMBER, MASKED = "+442079460155", "+4420••••0155"


def reported(kind: str, when: str) -> pytest.TestReport:
    """The pytest report of a phase whose finding, error and captured output contain a number."""
    finding = Finding(
        "caller_id",
        "billing.1",
        Verdict.FAILED,
        f"From with {NUMBER}",
        "anonymous",
        time.monotonic(),
    )
    case: Any = SimpleNamespace(id="HOLD[acme:udp]", row=SimpleNamespace(id="HOLD"))
    replica = SimpleNamespace(kind=kind)
    attempt = Attempt(case, SimpleNamespace(replica=replica), outcome=CaseOutcome([finding]))  # type: ignore[arg-type]
    item: Any = SimpleNamespace(stash=pytest.Stash())
    item.stash[cases._UNDERWAY] = attempt
    error = DidNotPassError(str(finding))
    call: Any = SimpleNamespace(
        when=when, excinfo=SimpleNamespace(value=error) if when == "call" else None
    )
    report = pytest.TestReport(
        "test_it[HOLD[acme:udp]]",
        ("test_it.py", 1, "test_it"),
        {},
        "failed" if when == "call" else "passed",
        f"E  DidNotPassError: {finding}" if when == "call" else None,
        when,  # type: ignore[arg-type]
        sections=[("Captured log call", f"INVITE sip:{NUMBER}@192.0.2.1")],
    )
    steps = cases.pytest_runtest_makereport(item, call)
    next(steps)
    try:
        steps.send(report)
    except StopIteration as done:
        made: pytest.TestReport = done.value
    return made


def shown(report: pytest.TestReport) -> str:
    return f"{report.longreprtext} {report.sections} {report.user_properties}"


@pytest.mark.parametrize("kind", ["live", "simulated"])
@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_test_reports_mask_real_numbers(kind: str, when: str) -> None:
    said = shown(reported(kind, when))
    assert (NUMBER in said, MASKED in said) == (
        (True, False) if kind == "simulated" else (False, True)
    )


def test_breakage_outside_of_cases_is_masked(tmp_path: Path) -> None:
    """On the terminal and in internal-error.txt."""
    shown_lines: list[str] = []
    progress: Any = Progress.__new__(Progress)
    vars(progress).update(
        _run=SimpleNamespace(directory=tmp_path),
        _internal_error=False,
        _unreadable=set(),
        _broke=[],
        _console=SimpleNamespace(say=lambda text, style: shown_lines.append(text)),
    )
    progress.pytest_internalerror(f"E  ValueError: {NUMBER} is no extension of b\u00fcro\udce4")
    progress.pytest_collectreport(
        SimpleNamespace(
            failed=True,
            nodeid="test_it.py",
            longreprtext=f"NUMBERS = ['{NUMBER}'\nE  SyntaxError: here",
        )
    )
    said = f"{shown_lines} {progress._broke} {(tmp_path / 'internal-error.txt').read_text(encoding='utf-8')}"
    assert "b\u00fcro\\udce4" in said, "whatever the locale, and whatever was in it"
    assert NUMBER not in said
    assert said.count(MASKED) == 4


def looked_at(
    kind: str, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """The output of preflight, on the terminal and in preflight.json, when a registrar does not
    know a number.
    """
    told = f"404 Not Found: it does not know {NUMBER}"
    line = ProbeResult(
        ProbeKind.REGISTRATION,
        "caller",
        Status.FAILED,
        told,
        "Registration fails",
        "Check phones.caller.",
    )
    need = RowNeed("HOLD", "callers registered", "", Status.FAILED, told)
    monkeypatch.setattr(
        preflight, "run", lambda replica, asked: Report(f"of {NUMBER}", (line,), 0.1, (need,))
    )
    run: Any = SimpleNamespace(
        cases=[],
        replicas={"lab": [SimpleNamespace(kind=kind, name=f"of {NUMBER}")]},
        directory=directory,
    )
    sound: Any = SimpleNamespace(require_sound=lambda: None)
    assert not parallel.preflight_allows(run, sound, "stop")
    return (directory / "preflight.json").read_text() + capsys.readouterr().out


@pytest.mark.parametrize("kind", ["live", "simulated"])
def test_preflight_output_masks_real_numbers(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = looked_at(kind, tmp_path, monkeypatch, capsys)
    if kind == "simulated":
        assert said.count(NUMBER) == 6
    else:
        assert NUMBER not in said
        assert said.count(MASKED) == 3, "on the terminal"
        assert said.count("+4420\\u2022\\u2022\\u2022\\u20220155") == 3, "in the file"
