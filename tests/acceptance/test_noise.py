"""What goes on around the calls of a platform that works: no right case fails by it, and a wrong
one still fails with its cause.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from harness.case.events import FarEndRecord, StrangerRefused
from harness.report.evidence import CaseEvidence, latest
from harness.report.run_directory import read_cases
from tests.acceptance.outside import Outside

UDP = ("--transport=udp", "--auth=ip", "--codec=pcmu", "-n", "2")
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "HANGUP-CALLER", "TD-SKILLS-DEPARTMENT")
#: The number of one of the rows is wrong in this way.
FAULT, LINE, WRONG = "rtp-blocked-to-caller", "skill-department", "TD-SKILLS-DEPARTMENT"

STRANGERS = {
    "noise": {"scans_per_s": 100.0, "strangers_every_s": 1.0},
    "api": {"stale": True},
}
LATE = {
    "noise": {"sip_delay_s": 0.05, "rtp_delay_s": 0.08, "rtp_jitter_s": 0.015},
    "api": {"delay_s": 0.5, "transcript": "after", "transcript_after_s": 1.0},
    "assistants": {"*": {"answers_after_s": 1.0, "sends": "speech"}},
}
#: Longer than a jitter buffer hides.
STARVED = {"noise": {"stands_still_s": 0.5, "stands_still_every_s": 2.0}}


@contextmanager
def noise(outside: Outside, **settings: Any) -> Iterator[None]:
    """All tenants with these settings."""

    def put(settings: dict[str, Any]) -> None:
        outside.control.put("/settings", json={"settings": settings}).raise_for_status()

    put(settings)
    try:
        yield
    finally:
        put({})


@contextmanager
def fault(outside: Outside) -> Iterator[None]:
    asked = {"name": FAULT, "line": LINE}
    outside.control.post("/faults", json=asked).raise_for_status()
    try:
        yield
    finally:
        outside.control.request("DELETE", "/faults", json=asked).raise_for_status()


def shared(text: str) -> str:
    """As a customer has it whose numbers and phones others call, too. No id tells a call of the
    harness's.
    """
    return text.replace("prepare = true", "prepare = false").replace(
        "shared = false", "shared = true"
    )


def verdicts(outside: Outside) -> tuple[dict[str, set[str]], str]:
    """By row, of a live file and one with a stand-in; and the output."""
    files = [outside.file("live", None, shared), outside.file("stand-in", None, shared)]
    rows = (*(f"--row={row}" for row in ROWS), "-k", "not prompt and not passed-on")
    code, output = outside.run(*files, *rows, *UDP)
    assert code == 1, output
    found: dict[str, set[str]] = {row: set() for row in ROWS}
    for case, verdict in outside.verdicts().items():
        found[case.partition("[")[0]].add(verdict)
    return found, output


def evidence(outside: Outside) -> list[CaseEvidence]:
    """Of the run's cases, each as it ended."""
    return latest(read_cases(outside.run_directory))


@pytest.mark.parametrize("settings", [STRANGERS, LATE], ids=["strangers", "late"])
@pytest.mark.nightly
def test_noise_changes_no_verdict_and_hides_no_cause(
    outside: Outside, settings: dict[str, Any]
) -> None:
    with noise(outside, **settings), fault(outside):
        found, output = verdicts(outside)
    assert found == {row: {"failed" if row == WRONG else "passed"} for row in ROWS}, output
    wrong = [case for case in evidence(outside) if case.row == WRONG]
    assert all(FAULT in {cause["id"] for cause in case.diagnosis} for case in wrong), output
    records = [e for case in evidence(outside) for e in case.events if isinstance(e, FarEndRecord)]
    assert records
    assert not [e for e in records if e.record["call_id"].startswith("stale-")]


@pytest.mark.nightly
def test_scanner_changes_no_verdict_and_is_reported(outside: Outside) -> None:
    with noise(outside, **STRANGERS):
        code, output = outside.run(
            outside.file("stand-in"), *UDP, "--row=TD-INBOUND", "--row=HANGUP-CALLER"
        )
    assert code == 0, output
    summary = json.loads((outside.run_directory / "summary.json").read_text())
    (named,) = [one for one in summary["strangers"] if one["user_agents"] == ["friendly-scanner"]]
    assert named["why"] == ["address"]
    assert sorted(named["methods"]) == ["INVITE", "OPTIONS", "REGISTER"]
    assert named["source"].partition(":")[0] in output, "the terminal names it"
    refused = {
        e.phone for case in evidence(outside) for e in case.events if isinstance(e, StrangerRefused)
    }
    assert "stand-in" in refused
    assert refused - {"stand-in"}, "phones that call were called, too"


@pytest.mark.nightly
def test_starved_world_causes_no_false_verdict(outside: Outside) -> None:
    """What came late by its fault is broken, and an AI that understood nothing has said nothing."""
    with noise(outside, **STARVED), fault(outside):
        found, output = verdicts(outside)
    assert all("failed" not in found[row] for row in ROWS if row != WRONG), output
    assert "passed" not in found[WRONG], output


@pytest.mark.nightly
def test_api_date_that_jumps_ahead_fails_no_call(outside: Outside) -> None:
    """Known by its id, a call is what it is; otherwise it may be an earlier one, and nobody knows."""
    files = [
        outside.file("live", "known"),
        outside.file(
            "live", "unknown", lambda text: text.replace("prepare = true", "prepare = false")
        ),
    ]
    with noise(outside, api={"date_jumps_s": 90.0}):
        code, output = outside.run(*files, "--row=TD-INBOUND", *UDP, "--preflight=tell")
    found = {
        case.partition("[")[2].partition(":")[0]: verdict
        for case, verdict in outside.verdicts().items()
    }
    assert found == {"known": "passed", "unknown": "not observable"}, output
    assert code == 1
