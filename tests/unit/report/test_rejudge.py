"""``harness report RUN --rejudge``: each finding is made again from what it was made from, and what
differs is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.case.checks import identity, signalling, timing
from harness.case.events import Event, Expected, Lost, MachineAsked, SipMessage
from harness.case.log import EVENTS
from harness.case.recorder import CaseRecorder
from harness.sip.message import Message
from tests.unit.checks.check_examples import EXAMPLES
from tests.unit.judging import expect
from tests.unit.phone_events import sip_message
from tests.unit.report.samples import command

INVITE = "INVITE sip:+12065550100@192.0.2.1 SIP/2.0\r\nFrom: <sip:{}@192.0.2.2>;tag=a\r\n\r\n"


@pytest.fixture
def case(tmp_path: Path) -> Callable[..., CaseRecorder]:
    """A case of the run in ``tmp_path``, under way."""

    def begin(name: str = "A", **more: Any) -> CaseRecorder:
        return CaseRecorder(
            tmp_path / "cases" / name, {"id": name, "integration": "generic", **more}
        )

    return begin


def end(recorder: CaseRecorder, every: Iterable[Expected]) -> None:
    for expected in every:
        expect(recorder, expected)
    conclusion = recorder.outcome.conclusion
    recorder.close(conclusion.verdict, conclusion.message)


def rejudged(run: Path) -> dict[str, Any]:
    ended = command("report", run, "--rejudge", "--json")
    assert ended.exit_code == 0, ended.output
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
    expectations = [
        example.of.of(*make.args, **make.keywords)
        for example in EXAMPLES
        for make in (example.right, *example.wrong)
    ]
    for number, expected in enumerate(expectations):
        end(case(f"{number:03}"), [expected])
    found = rejudged(tmp_path)
    assert found["totals"]["made_again"] == len(expectations) > 100
    assert found["totals"]["from_the_record"] == {}


def test_a_check_that_judges_otherwise_now_is_said(
    tmp_path: Path, case: Callable[..., CaseRecorder]
) -> None:
    """The record is changed, since the check cannot be."""
    recorder = case("B")
    end(recorder, [signalling.codec.of("caller.1", ["PCMU"], "PCMU")])
    change(recorder, "event", lambda expected: expected["given"].update(seen="G729"))
    ended = command("report", tmp_path, "--rejudge")
    assert ended.exit_code == 1
    assert ended.output.splitlines() == [
        "B: verdict: passed → failed",
        "B: codec of caller.1: passed → failed",
        "B: diagnosis taken from the record: the evidence lacks the deployment",
        "1 cases judged again, 1 differ; 1 findings made again",
    ]


def busy(**kept_from: Any) -> MachineAsked:
    """What a machine kept the harness from, in the second before the finding."""
    return MachineAsked(at=6.0, began=5.0, ended=6.0, **kept_from)


@pytest.mark.parametrize(
    ("before", "terms", "verdict"),
    [
        ([], {}, "failed"),
        ([busy(starved_s=5.5)], {"since": 5.0}, "broken"),
        ([busy(starved_at_once_s=0.5)], {"sound_due": ((5.0, 6.0),)}, "broken"),
        ([busy(starved_at_once_s=0.1)], {"sound_due": ((5.0, 6.0),)}, "failed"),
        ([busy(stood_still_s=0.3)], {"sound_due": ((5.0, 6.0),), "least_s": 0.9}, "broken"),
        ([Lost(at=6.0, what="the world stood still")], {}, "broken"),
        ([], {"strangers": ("+12065550199",)}, "not observable"),
    ],
    ids=["none", "late", "at once", "too little", "stood still", "lost", "stranger"],
)
def test_an_excuse_is_made_of_the_log(
    tmp_path: Path,
    case: Callable[..., CaseRecorder],
    before: Sequence[Event],
    terms: dict[str, Any],
    verdict: str,
) -> None:
    recorder = case()
    for event in before:
        recorder.event(event)
    late = timing.within.of("caller.1", "it", 1.0 if "since" in terms else None, 0.5)
    end(recorder, [replace(late, at=6.0, **terms)])
    (found,) = rejudged(tmp_path)["cases"]
    assert (found["now"]["verdict"], found["made_again"]) == (verdict, 1)


def test_checks_that_compare_masked_numbers_are_taken_from_the_record(
    tmp_path: Path, case: Callable[..., CaseRecorder]
) -> None:
    recorder = case(mask=True)
    invite: Event = sip_message("received", INVITE.format("+12065550142"))
    recorder.event(invite)
    assert isinstance(invite, SipMessage)
    shown = identity.caller_id.of(
        Message.parse(invite.text), "p.1", "+12065550142", "e164", "US", "m1"
    )
    end(recorder, [shown, signalling.final_response.of("p.1", [486], 486, "Busy Here")])
    assert "5550142" not in (recorder.directory / EVENTS).read_text()
    (found,) = rejudged(tmp_path)["cases"]
    assert found["from_the_record"] == {"numbers are masked": 1}
    assert found["made_again"] == 1
