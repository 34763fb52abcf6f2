"""``harness report RUN --rejudge``: each finding is made again from what it was made from, and what
differs is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.case.checks import identity, reach, signalling
from harness.case.checks.finding import excused, hindered, mute, unclear, unproven
from harness.case.events import Event, SipMessage
from harness.case.verdict import Finding
from harness.report.case_document import EVENTS
from harness.report.recorder import CaseRecorder
from harness.run.cli.app import application
from harness.sip.message import Message
from tests.unit.checks.check_examples import EXAMPLES
from tests.unit.phone_events import sip_message

INVITE = "INVITE sip:+12065550100@192.0.2.1 SIP/2.0\r\nFrom: <sip:{}@192.0.2.2>;tag=a\r\n\r\n"


@pytest.fixture
def case(tmp_path: Path) -> Callable[..., CaseRecorder]:
    """A case of the run in ``tmp_path``, under way."""

    def begin(name: str = "A", **more: Any) -> CaseRecorder:
        return CaseRecorder(
            tmp_path / "cases" / name, {"id": name, "integration": "generic", **more}
        )

    return begin


def end(recorder: CaseRecorder, findings: Iterable[Finding] = ()) -> None:
    for finding in findings:
        recorder.finding(finding)
    conclusion = recorder.outcome.conclusion
    recorder.close(conclusion.verdict, conclusion.message)


def rejudged(run: Path, *, code: int = 0) -> dict[str, Any]:
    ended = CliRunner().invoke(application(), ["report", str(run), "--rejudge", "--json"])
    assert ended.exit_code == code, ended.output
    found: dict[str, Any] = json.loads(ended.output)
    return found


def change(recorder: CaseRecorder, kind: str, how: Callable[[Any], object]) -> None:
    """Change each line of that kind in the recorded events."""
    path = recorder.directory / EVENTS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if kind in line:
            how(line[kind])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_every_check_makes_the_finding_again_that_was_recorded(
    tmp_path: Path, case: Callable[..., CaseRecorder]
) -> None:
    made = (make() for example in EXAMPLES for make in (example.right, *example.wrong))
    findings = [finding for finding in made if finding is not None]
    for number, finding in enumerate(findings):
        end(case(f"{number:03}"), [finding])
    found = rejudged(tmp_path)
    assert found["totals"]["made_again"] == len(findings) > 100
    assert found["totals"]["from_the_record"] == {}


def test_a_check_that_judges_otherwise_now_is_said(
    tmp_path: Path, case: Callable[..., CaseRecorder]
) -> None:
    """The record is changed, since the check cannot be."""
    recorder = case("B")
    end(recorder, [signalling.codec("caller.1", ["PCMU"], "PCMU")])
    change(recorder, "finding", lambda finding: finding["asked"]["given"].update(seen="G729"))
    ended = CliRunner().invoke(application(), ["report", str(tmp_path), "--rejudge"])
    assert ended.exit_code == 1
    assert ended.output.splitlines() == [
        "B: verdict: passed → failed",
        "B: codec of caller.1: passed → failed",
        "B: diagnosis taken from the record: the evidence lacks the deployment",
        "1 cases judged again, 1 differ; 1 findings made again",
    ]


@pytest.mark.parametrize(
    ("adjusted", "verdict"),
    [
        (lambda failed: excused(failed, 2.0), "broken"),
        (lambda failed: hindered(failed, 2.0), "broken"),
        (lambda failed: mute(failed, "caller", 2.0), "broken"),
        (lambda failed: unproven(failed, "the world stood still"), "broken"),
        (lambda failed: unclear(failed, ["+12065550199"]), "not observable"),
        (lambda failed: unproven(hindered(failed, 2.0), "the world stood still"), "broken"),
    ],
    ids=["late", "starved", "mute", "broken", "stranger", "two"],
)
def test_a_finding_is_adjusted_again(
    tmp_path: Path,
    case: Callable[..., CaseRecorder],
    adjusted: Callable[[Finding], Finding],
    verdict: str,
) -> None:
    end(case(), [adjusted(reach.answered("caller.1", 9.0, 4.0))])
    (found,) = rejudged(tmp_path)["cases"]
    assert (found["now"]["verdict"], found["made_again"]) == (verdict, 1)


def test_checks_that_compare_masked_numbers_are_taken_from_the_record(
    tmp_path: Path, case: Callable[..., CaseRecorder]
) -> None:
    recorder = case(mask=True)
    invite: Event = sip_message("received", INVITE.format("+12065550142"))
    recorder.event(invite)
    assert isinstance(invite, SipMessage)
    shown = identity.caller_id(
        Message.parse(invite.text), "p.1", "+12065550142", "e164", "US", "m1"
    )
    end(recorder, [shown, signalling.final_response("p.1", [486], 486, "Busy Here")])
    assert "5550142" not in (recorder.directory / EVENTS).read_text()
    (found,) = rejudged(tmp_path)["cases"]
    assert found["from_the_record"] == {"numbers are masked": 1}
    assert found["made_again"] == 1
