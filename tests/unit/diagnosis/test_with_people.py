"""What caller and agent hear in each other's place, and when they do not hear each other any more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.audio_examples import with_a_person
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, transfer, warm

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


@pytest.mark.parametrize("lasted", [True, False], ids=["later", "from the beginning"])
@pytest.mark.parametrize(
    ("kind", "packets", "facts", "heard", "told"),
    [
        ("other", 100, MUSIC, "another sound", ("audio-silenced", "likely")),
        ("silence", 100, {"listened_s": 2.0}, "silent RTP", ("audio-silenced", "likely")),
        ("other", 100, {"listened_s": 2.0}, "noise", ("payload-mismatch", "likely")),
        ("other-codec", 100, {}, "RTP of another codec", ("g711-one-side", "likely")),
        ("undeciphered", 0, {}, "RTP that the SRTP key does not fit", ("srtp-mismatch", "likely")),
        ("echo", 100, {}, "echo", ("echo", "certain")),
    ],
)
def test_rtp_that_arrives_is_no_audio_that_is_kept_back(
    kind: str, packets: int, facts: dict[str, Any], heard: str, told: tuple[str, str], lasted: bool
) -> None:
    """Music on hold goes on at the agent, say: no network is to be blamed for that."""
    example = with_a_person()
    if lasted:
        example.with_agent("billing").after(1)
    example.with_agent("billing", "heard", kind, packets, **facts)
    assert facts_of(example).value("audio.agent") == heard
    assert named(example) == [told]


def test_noise_since_a_change_of_the_call_is_told_as_noise() -> None:
    example = with_a_person().with_agent("billing").hears_mark("caller.1", 9).reinvites().after(1)
    example.with_agent("billing", "heard", "other", 100, listened_s=2.0)
    assert facts_of(example).value("agent.stopped_at") == "a re-INVITE or UPDATE"
    assert named(example) == [("payload-mismatch", "likely")]


def test_where_nothing_arrives_at_one_end_that_is_the_reason_of_silence_at_the_other() -> None:
    example = with_a_person().with_agent("billing", "no-rtp", "silence", 0)
    assert named(example) == [("transfer-no-audio", "certain")]
    mixed = with_a_person().with_agent("billing", "no-rtp")
    mixed.findings.pop()
    mixed._direction("billing.1", "caller.1", "silence", 100, listened_s=2.0)
    assert facts_of(mixed).value("audio.agent") == "none either way"
    assert named(mixed) == [("transfer-no-audio", "certain")]


def test_what_is_heard_that_nobody_can_name_is_not_nothing() -> None:
    example = with_a_person().with_agent("billing").after(1).with_agent("billing", "heard", "other", 100, **MUSIC)
    diagnosis = example.diagnose("caller")
    assert [(cause.id, cause.confidence) for cause in diagnosis.causes] == [("agent-audio-stops", "possible")]


@pytest.mark.parametrize("lasted", [True, False], ids=["later", "from the beginning"])
def test_packets_that_are_lost_on_the_way_to_the_agent_are_why_it_does_not_hear(lasted: bool) -> None:
    example = with_a_person()
    if lasted:
        example.with_agent("billing").after(1)
    example.counted("billing.1", received=100, lost=120).with_agent("billing", "other", "heard", 40, listened_s=2.0)
    assert named(example) == [("heavy-loss", "certain")]


def rtp_then_silence(packets: int, *, to_caller: str = "heard", sound: str = "silence") -> Example:
    """The agent's leg gets RTP for a moment and nothing afterwards; the caller said nothing in that moment."""
    example = transfer(Example()).rings("billing").landed("billing", "billing").counted("billing.1", received=0)
    example.after(0.8).counted("billing.1", received=packets).after(2.6).counted("billing.1", received=packets)
    return example.with_agent("billing", sound, to_caller, packets, listened_s=3.4)


@pytest.mark.parametrize("to_caller", ["heard", "silence"])
def test_rtp_that_reached_the_agent_and_then_stopped_is_audio_that_stops(to_caller: str) -> None:
    """Recorded by liveproof: 35 packets in 3.4 s, while the caller pressed a digit."""
    assert named(rtp_then_silence(35, to_caller=to_caller)) == [("agent-audio-stops", "likely")]


def test_a_few_packets_are_no_audio_that_stopped() -> None:
    assert named(rtp_then_silence(24)) == [("transfer-no-audio", "certain")]


def test_a_sound_that_ends_before_the_agent_hears_the_caller_leaves_both_causes_open() -> None:
    """An announcement to the agent, say."""
    assert named(rtp_then_silence(35, sound="other")) == [("transfer-no-audio", "likely")]


def test_packets_of_the_call_with_the_ai_do_not_show_that_the_caller_ever_got_the_agent_s() -> None:
    """The caller's counter is read once a second: some of the packets are older than the agent's answer."""
    example = with_a_person().counted(received=100).after(0.5).counted(received=140).after(3).counted(received=140)
    example.with_agent("billing", "heard", "silence", 40, listened_s=3.4)
    assert named(example) == [("transfer-no-audio", "likely")]


def test_rtp_to_the_agent_before_a_warm_transfer_joins_the_calls_is_the_ai_s() -> None:
    example = warm(Example()).ai_invites(GROUP).rings("billing").landed("billing", "billing")
    example.counted("billing.1", received=0).after(0.8).counted("billing.1", received=35).after(2.6)
    example.counted("billing.1", received=35).with_agent("billing", "silence", "heard", 35, listened_s=3.4)
    assert named(example) == [("transfer-no-audio", "likely")]


@pytest.mark.parametrize(
    ("packets", "cause"), [(0, ("fallback-no-audio", "certain")), (35, ("agent-audio-stops", "likely"))]
)
def test_rtp_that_stops_after_a_fallback_is_told_apart_too(packets: int, cause: tuple[str, str]) -> None:
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused").dials().ai_gets()
    example.ai_answers(503, "Service Unavailable").rings("reception").landed("reception", "reception").answered()
    example.counted("reception.1", received=0).after(0.8).counted("reception.1", received=packets or 5).after(2.6)
    example.counted("reception.1", received=packets or 5).with_agent(
        "reception", "silence", "heard", packets, listened_s=3.4
    )
    assert named(example) == [cause]
