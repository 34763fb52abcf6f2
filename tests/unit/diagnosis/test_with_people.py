"""What caller and agent hear in each other's place, and when they do not hear each other any more."""

from __future__ import annotations

from typing import Any

from tests.unit.diagnosis.audio_examples import with_a_person
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of

MUSIC: dict[str, Any] = {"instead": "music", "listened_s": 2.0}


def named(example: Example) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


def connected_by_reinvite(heard_after_s: float) -> Example:
    """The platform moves the caller's media to the agent by re-INVITE (RFC 3725), and 0.4 s after that audio stops."""
    example = with_a_person()
    example._at_caller("received", "INVITE sip:caller SIP/2.0\r\nTo: <sip:caller>;tag=c")
    example.after(heard_after_s).hears_mark("caller.1", 9).with_agent("billing").after(0.2).hears_mark("caller.1", 9)
    return example.after(2).with_agent("billing", "heard", "no-rtp")


def test_the_change_that_connected_them_is_not_what_parted_them() -> None:
    assert facts_of(connected_by_reinvite(0.2)).value("agent.stopped_at") == "nothing in particular"
    assert named(connected_by_reinvite(0.2)) == [("agent-audio-stops", "certain")]
    assert facts_of(connected_by_reinvite(-0.1)).value("agent.stopped_at") == "a re-INVITE or UPDATE"


def test_the_change_that_let_the_caller_hear_the_ai_did_not_silence_it() -> None:
    """Some phones offer again right after an answer that lists several codecs."""
    example = Example(ai="stand-in").dials().after(0.1).ai_gets().answered().taken().rings("stand-in").reinvites()
    example.after(0.1).hears_mark("caller.1", 9).to_ai().to_caller().after(0.4).hears_mark("caller.1", 9).after(5)
    assert facts_of(example.to_caller("no-rtp")).value("audio.stopped_at") == "nothing in particular"
