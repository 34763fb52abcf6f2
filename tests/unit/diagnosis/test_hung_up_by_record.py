"""Who ended a call, where the record of a live AI alone tells (``telephony_hangup``): nobody sees its messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calls.events import FarEndRecord
from tests.unit.diagnosis.audio_examples import cut_by_record
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import talk


def named(example: Example) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


def test_the_record_says_who_hung_up_and_why() -> None:
    assert named(cut_by_record("agent")) == [("ai-hangs-up", "likely")]
    assert facts_of(cut_by_record("agent"))["call.cut_by"].evidence == (
        "GET /v2/calls/c1",
        "telephony_hangup agent, end_call_reason agent_goodbye",
    )
    assert named(cut_by_record("caller")) == [("call-dropped", "likely")]
    assert named(cut_by_record("caller", 'Q.850;cause=31;text="RTP Timeout"')) == [("rtp-blocked-both", "likely")]


@pytest.mark.parametrize("who", ["", "system"])
def test_a_record_that_does_not_say_who_leaves_both(who: str) -> None:
    assert named(cut_by_record(who)) == [("ai-hangs-up", "possible"), ("call-dropped", "possible")]


def test_messages_say_more_than_a_record() -> None:
    example = (
        talk(Example()).after(2).record(telephony_hangup="caller").ends("sent").to_ai("no-rtp").to_caller("no-rtp")
    )
    assert facts_of(example).value("call.cut_by") == "the AI"


def test_of_several_calls_nobody_knows_which_was_cut() -> None:
    example = cut_by_record("agent")
    (record,) = example._records()
    assert isinstance(record, FarEndRecord)
    example.events.append(replace(record, source="GET /v2/calls/c2"))
    assert facts_of(example).value("call.cut_by") is None
