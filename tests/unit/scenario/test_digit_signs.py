"""A digit that the AI acted on: a sign that it hears, and where it is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.calls.checks.audio import Sound
from harness.calls.checks.claims import Observation
from harness.calls.verdict import Verdict
from harness.deployment import Escalation, Handover
from harness.scenario.call import Call
from harness.scenario.expect_audio import ExpectAudio
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.sign_cases import Caller, Case
from tests.unit.scenario.sign_cases import experiments as experiments  # each is made at once


def test_a_digit_that_is_asked_by_tells_and_nobody_waits_before_it(make_context: MakeContext) -> None:
    caller = Caller()
    case = Case(make_context, caller, "", strength="indicated", transcript="none").settle(asking=True)
    assert caller.did == []
    caller.obeyed_digit = Sound(5.0, Observation.DIGIT, "it handed over")
    assert case.heard_by_ai == ("DIGIT", "")


def test_a_digit_tells_nothing_where_the_packets_did_not_arrive_of_which_it_was_one(make_context: MakeContext) -> None:
    """Whatever the AI did, it did by itself, or by a digit that went another way than the voice."""
    caller = Caller(counts=(200, 0))
    case = Case(make_context, caller, "", strength="confirmed", transcript="none").settle(asking=True)
    caller.obeyed_digit = Sound(5.0, Observation.DIGIT, "it handed over")
    assert case.heard_by_ai == ("", "RTCP")
    ExpectAudio(case.context, cast("Any", caller))._look(cast("Any", caller), case.look._talk, 0.0, False)
    caller.looks[-1].settle()
    found = case.context.later[-1]()[0]
    assert found.verdict is Verdict.FAILED
    assert "RTCP of the far end counts none of 200 RTP packets; yet it handed over" in found.actual


SILENT = Handover.model_validate({"transfer": "cold", "transfer_to": "billing", "ways": ["silence"]})


@pytest.mark.parametrize(
    ("ways", "named", "tells"),
    [
        (["digit"], {}, True),
        (["digit", "prompt"], {"sales": SILENT.model_copy(update={"ways": ("prompt",)})}, True),
        (["digit", "silence"], {}, False),
        (["digit"], {"sales": SILENT}, False),
    ],
    ids=["digit", "digit, prompt", "digit, silence", "another's silence"],
)
def test_a_digit_tells_nothing_where_the_ai_hands_over_who_says_nothing(
    make_context: MakeContext, ways: list[str], named: dict[str, Handover], tells: bool
) -> None:
    """To a deaf AI everybody says nothing: it hands over as well, and whoever looks has to look for something else."""
    settled: list[bool] = []
    context = make_context(escalation=Escalation.model_validate({"ways": ways, "digit": "5"}))
    deployment = context.deployment
    front = deployment.lines[str(context.case.line)].assistant
    assistants = {
        name: entry.model_copy(update={"handovers": named}) if name == front else entry
        for name, entry in deployment.assistants.items()
    }
    context.deployment = deployment.model_copy(update={"assistants": assistants})
    leg: Any = SimpleNamespace(events=[], id="caller.1", successor=None, send_digits=lambda digits, method: None)
    call = Call(context, leg, "caller")
    call.looks.append(cast("Any", SimpleNamespace(settle=lambda asking: settled.append(asking))))
    call.ask_for_a_person(once=True)
    call.obeyed(5.0)
    assert settled[0] is tells
    assert (call.obeyed_digit is not None) is tells
