"""Facts on what each side hears of the other, when it stopped, and the quality of the audio."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.case.events import FarEndReport, MediaState, RtpStatistics
from harness.case.measurement import Direction
from harness.case.verdict import Strength, Verdict
from harness.diagnosis.audio import FEW_PACKETS
from harness.diagnosis.facts import Facts
from tests.unit.diagnosis.audio_examples import captured, with_a_person
from tests.unit.diagnosis.case import (
    Example,
    call,
    description,
    dialled,
    facts_of,
    named,
    talk,
    value,
)
from tests.unit.diagnosis.stories import taken


@pytest.mark.parametrize(
    ("kind", "packets", "heard"),
    [
        ("silence", FEW_PACKETS - 1, "a few packets"),
        ("silence", FEW_PACKETS, "silent RTP"),
        ("silence", 0, "nothing"),
        ("silence", None, "silence"),
        ("other", FEW_PACKETS - 1, "a few packets"),
        ("other", FEW_PACKETS, "noise"),
        ("unmarked", FEW_PACKETS - 1, "a few packets"),
        ("unmarked", FEW_PACKETS, "no mark"),
        ("unknown", 1, None),
    ],
)
def test_what_is_heard_in_place_of_a_voice(
    kind: str, packets: int | None, heard: str | None
) -> None:
    assert value(talk().to_caller(kind, packets), "audio.to_caller") == heard
    assert value(talk().to_ai(kind, packets), "audio.to_ai") == heard


@pytest.mark.parametrize(("packets", "heard"), [(60, "a few packets"), (61, "silent RTP")])
def test_rtp_for_less_than_half_of_the_time_is_not_silent_rtp(packets: int, heard: str) -> None:
    assert value(talk().to_caller("silence", packets, listened_s=2.4), "audio.to_caller") == heard
    noise = talk().to_caller("other", packets, listened_s=2.4)
    assert value(noise.counted(received=packets, lost=100), "audio.to_caller") == "noise", (
        "lost packets were sent"
    )


@pytest.mark.parametrize(("octets", "heard"), [(160, "a few packets"), (240, "silent RTP")])
def test_longer_packets_fill_more_time(octets: int, heard: str) -> None:
    """RFC 3551 section 4.2: 20 ms are a default."""
    example = talk().counted(received=50).to_caller("silence", 50, listened_s=2.4)
    example.events = [
        replace(e, rx_bytes=50 * octets) if isinstance(e, RtpStatistics) else e
        for e in example.events
    ]
    assert value(example, "audio.to_caller") == heard


@pytest.mark.parametrize(
    ("received", "heard"), [(0, "nothing"), (1, "a few packets"), (FEW_PACKETS, "nothing")]
)
def test_packets_that_came_before_anybody_listened_count(received: int, heard: str) -> None:
    assert (
        value(talk().counted(received=received).to_caller("no-rtp", 0), "audio.to_caller") == heard
    )


@pytest.mark.parametrize(("mark", "heard"), [(239, "crossed"), (240, None)])
def test_without_the_ai_s_side_only_a_phone_s_mark_is_another_call_s(
    mark: int, heard: str | None
) -> None:
    """Voices of assistants begin at 240: one of them may be the right one."""
    example = talk().to_caller("crossed", 200, foreign=[mark])
    assert value(example, "audio.to_caller", "caller") == heard
    assert value(example, "audio.to_caller") == "crossed"
    noise = talk().to_caller("other", 200)
    assert value(noise, "audio.to_caller", "caller") is None


@pytest.mark.parametrize(
    ("strength", "denied_by", "is_heard"),
    [
        (Strength.UNKNOWN, "", False),
        (Strength.INDICATED, "", True),
        (Strength.INDICATED, "words", False),
    ],
)
def test_a_weak_sign_counts_unless_denied(
    strength: Strength, denied_by: str, is_heard: bool
) -> None:
    example = talk().to_ai().to_caller("no-rtp")
    seen = example.findings[-2]
    assert isinstance(seen.measured, Direction)
    measured = replace(seen.measured, denied_by=denied_by)
    example.findings[-2] = replace(
        seen, verdict=Verdict.NOT_OBSERVABLE, strength=strength, measured=measured
    )
    assert (value(example, "audio.to_ai") == "heard") is is_heard


def test_deaf_live_ai_whose_speech_arrives_gets_no_rtp() -> None:
    """Speech that answered nothing may be another's; it shows that RTP came to the caller."""
    example = talk().to_ai("unheard", None).to_caller()
    seen = example.findings[-1]
    assert isinstance(seen.measured, Direction)
    example.findings[-1] = replace(
        seen,
        verdict=Verdict.NOT_OBSERVABLE,
        strength=Strength.UNKNOWN,
        measured=replace(seen.measured, observation="other_sound"),
    )
    assert named(example) == [("rtp-blocked-to-ai", "likely")]


# -- audio that stopped


def _stopped(at_change: float, *, heard_at: str = "caller.1") -> Facts:
    """A voice, last heard at 10 s; a re-INVITE so much later or earlier."""
    example = talk(row="HOLD").to_caller()
    example.now = 10.0 + at_change
    example.reinvites()
    if heard_at:
        example.now = 10.0
        example.hears_mark(heard_at, 240)
    example.now = 20.0
    return facts_of(example.to_caller("no-rtp"))


@pytest.mark.parametrize(
    ("at_change", "heard_at", "what", "evidence"),
    [
        (0.9, "caller.1", "a re-INVITE or UPDATE", "m1"),
        (-0.9, "caller.1", "a re-INVITE or UPDATE", "m1"),
        (1.0, "caller.1", "nothing in particular", "10.0 s into the call"),
        (-1.0, "caller.1", "nothing in particular", "10.0 s into the call"),
        # a listener that does not say when it heard what
        (0.0, "", None, None),
        (0.0, "billing.1", None, None),
        # a change before the call, or after the failure
        (
            -10.0,
            "",
            "nothing in particular",
            "assistant main was heard, and the call was not changed",
        ),
        (
            10.0,
            "",
            "nothing in particular",
            "assistant main was heard, and the call was not changed",
        ),
    ],
)
def test_what_happened_when_audio_stopped(
    at_change: float, heard_at: str, what: str | None, evidence: str | None
) -> None:
    facts = _stopped(at_change, heard_at=heard_at)
    assert facts.value("audio.stopped_at") == what
    assert what is None or facts["audio.stopped_at"].evidence == (evidence,)


_WITH_SDP = "\r\nContent-Type: application/sdp\r\n\r\n" + description("198.51.100.9", "0")


def _changed(method: str, where: str, more: str) -> Example:
    """A voice, last heard when that request of the platform's came; where it came says who has it."""
    example = Example(now=0.0, row="HOLD", ai="stand-in" if where == "stand-in" else "synthflow")
    example.dials().ai_gets().answered().taken().both_hear()
    if where == "stand-in":
        example.rings("stand-in")
    example.now = 10.0
    example.hears_mark("caller.1", 9 if where == "stand-in" else 240)
    if where == "caller":
        example._at_caller(
            "received", f"{method} sip:caller SIP/2.0\r\nTo: <sip:caller>;tag=c{more}"
        )
    else:
        body = more.partition("\r\n\r\n")[2]
        example._sip(
            "received", f"{method} sip:ai SIP/2.0", method, body, to="<sip:ai@x>;tag=c", number="2"
        )
    example.now = 20.0
    return example.unheard()


@pytest.mark.parametrize(
    ("method", "where", "more", "what"),
    [
        ("INVITE", "caller", "", "a re-INVITE or UPDATE"),
        ("UPDATE", "caller", _WITH_SDP, "a re-INVITE or UPDATE"),
        ("INVITE", "stand-in", _WITH_SDP, "a re-INVITE or UPDATE"),
        ("INVITE", "record", "", None),  # its messages have no time
        ("UPDATE", "record", _WITH_SDP, None),
        ("UPDATE", "record", "", "nothing in particular"),
    ],
)
def test_a_change_is_made_by_either_request_and_on_either_leg(
    method: str, where: str, more: str, what: str | None
) -> None:
    """RFC 3261 section 14 and RFC 3311: the platform may change the leg of the AI alone."""
    assert value(_changed(method, where, more), "audio.stopped_at") == what


@pytest.mark.parametrize(("mark", "late"), [(240, True), (7 + 256, True), (241, False), (7, False)])
def test_a_voice_that_was_heard_afterwards_came_late_and_did_not_stop(
    mark: int, late: bool
) -> None:
    facts = facts_of(talk().to_ai().to_caller("no-rtp").after(1).hears_mark("caller.1", mark))
    assert facts.value("audio.to_caller") == ("nothing at first" if late else "nothing")
    assert facts.value("audio.stopped") is False


@pytest.mark.parametrize(
    ("heard_after_s", "what"), [(0.2, "nothing in particular"), (-0.1, "a re-INVITE or UPDATE")]
)
def test_the_change_that_connected_caller_and_agent_did_not_part_them(
    heard_after_s: float, what: str
) -> None:
    """The platform moves the caller's media to the agent by re-INVITE (RFC 3725)."""
    example = with_a_person()
    example._at_caller("received", "INVITE sip:caller SIP/2.0\r\nTo: <sip:caller>;tag=c")
    example.after(heard_after_s).hears_mark("caller.1", 9).with_agent("billing").after(
        0.2
    ).hears_mark("caller.1", 9)
    assert (
        value(example.after(2).with_agent("billing", "heard", "no-rtp"), "agent.stopped_at") == what
    )


# -- whose side it is missing on


def _reported(example: Example, leg: str, received: int = 150, *, names_us: bool = True) -> Example:
    """The far end says by RTCP what it gets of what the leg sends."""
    counts = {"sent": 200, "received": received, "lost": 0, "fraction_lost": 0.0, "jitter_ms": 0.0}
    return example.tells(FarEndReport, leg, names_us=names_us, **counts)


@pytest.mark.parametrize(
    ("received", "names_us", "sure"),
    [(150, True, "certain"), (0, True, "likely"), (150, False, "likely")],
)
def test_what_the_far_end_says_that_it_gets_is_kept_back_nowhere(
    received: int, names_us: bool, sure: str
) -> None:
    """RFC 3550 section 6.4: a report block names the source that it is about."""
    for leg, other in (("stand-in.1", "caller.1"), ("caller.1", "stand-in.1")):
        silenced = Example.to_caller if leg == "stand-in.1" else Example.to_ai
        heard = Example.to_ai if leg == "stand-in.1" else Example.to_caller
        example = taken("stand-in").counted("stand-in.1")
        silent = silenced(
            heard(_reported(example.copy(), leg, received, names_us=names_us)), "silence", 200
        )
        assert named(silent)[0] == ("audio-silenced", sure)
        silent = silenced(heard(_reported(example, other)), "silence", 200)
        assert named(silent)[0] == ("audio-silenced", "likely"), "that is the other way"


def test_a_capture_of_the_call_before_a_transfer_says_nothing_of_the_agent() -> None:
    example = captured(with_a_person(), "caller.1", {"trunk": True}).after(10.0)
    lost = captured(example, "caller.1", {"carrier": False})
    lost = lost.after(3.0).with_agent("billing", "no-rtp", "heard", listened_s=3.4)
    assert value(lost, "way.agent") == "ahead of a capture"


def test_an_agent_who_sends_silence_is_named_like_any_other_party() -> None:
    example = dialled(row="TD-FALLBACK-REFUSED").rings("billing").answered().after(2)
    example = _reported(example.landed("billing", "billing"), "billing.1").with_agent(
        "billing", "heard", "silence", 200
    )
    assert named(example) == [("audio-silenced", "likely")]


def test_anything_that_reached_a_phone_excludes_its_own_firewall() -> None:
    def blocked(example: Example) -> tuple[str, str]:
        return named(example.to_ai().to_caller("no-rtp"))[0]

    assert blocked(taken().counted(received=60)) == ("rtp-blocked-to-caller", "certain")
    assert blocked(_reported(taken(), "caller.1", 0, names_us=False)) == (
        "rtp-blocked-to-caller",
        "certain",
    )
    assert blocked(taken().counted("billing.1"))[1] == "likely", "another phone's RTP says nothing"


@pytest.mark.parametrize(
    ("place", "confidence"),
    [("127.0.0.9:4000", "certain"), ("[::1]:4000", "certain"), ("192.0.2.9:4000", "likely")],
)
def test_between_two_ends_on_this_machine_there_is_no_firewall(place: str, confidence: str) -> None:
    example = taken()
    fields = {"active": True, "direction": "sendrecv", "codec": "PCMU", "clock_rate": 8000}
    example.tells(MediaState, "caller.1", remote_rtp=place, **fields)
    assert named(example.to_ai().to_caller("no-rtp"))[0] == ("rtp-blocked-to-caller", confidence)


PUBLIC, PRIVATE = "198.51.100.70", "10.1.2.3"


def _moved(ai: str, first: str, then: str, *, refused: bool = False) -> Example:
    """The platform gives the AI another address within the call, and the caller hears nothing of
    the AI.
    """
    body = description(then, "0")
    example = call(ai=ai).ai_gets(address=first).ai_answers().answered().taken().after(0.1)
    example._sip(
        "received",
        "INVITE sip:ai SIP/2.0",
        body=body,
        to="<sip:ai@192.0.2.60>;tag=b",
        number="2",
    )
    return (
        example.ai_answers(488 if refused else 200, number="2").after(4).to_ai().to_caller("no-rtp")
    )


@pytest.mark.parametrize(
    ("first", "then", "told"), [(PUBLIC, PRIVATE, "private"), (PRIVATE, PUBLIC, "reachable")]
)
def test_the_newest_sdp_says_where_the_ai_sends(first: str, then: str, told: str) -> None:
    """RFC 3264 section 8, and RFC 3261 section 14.1: one that was refused leaves the one before it."""
    assert value(_moved("stand-in", first, then), "sdp.to_ai") == told
    assert value(_moved("stand-in", then, first, refused=True), "sdp.to_ai") == told
    assert value(_moved("synthflow", first, then), "sdp.to_ai") is None, (
        "messages in a record have no time"
    )


# -- quality and codecs


@pytest.mark.parametrize(
    ("counters", "fact", "told"),
    [
        ({"received": 95, "lost": 5}, "loss", "little"),
        ({"received": 94, "lost": 6}, "loss", "heavy"),
        ({"received": 47, "lost": 3}, "loss", "heavy"),
        ({"received": 46, "lost": 3}, "loss", "little"),
        ({"received": 100, "lost": 2, "late": 4}, "loss", "packets that came too late"),
        ({"received": 100, "reordered": 20}, "order", None),
        ({"received": 100, "reordered": 21}, "order", "broken"),
        ({"received": 50, "reordered": 11}, "order", "broken"),
        ({"received": 49, "reordered": 40}, "order", None),
        ({"rtt_ms": 800.0}, "delay", "low"),
        ({"rtt_ms": 800.1}, "delay", "high"),
    ],
)
def test_quality_by_the_counters_of_a_leg(
    counters: dict[str, Any], fact: str, told: str | None
) -> None:
    assert value(talk().counted(**counters), fact) == told
    with_agent = talk().rings("billing").counted("billing.1", **counters)
    assert value(with_agent, fact) is None, "of the conversation with an agent"


@pytest.mark.parametrize("check", ["audio.delay", "audio.one_way_delay"])
@pytest.mark.parametrize(("delay_ms", "delay"), [(700.0, "high"), (None, None)])
def test_a_probe_that_was_not_heard_has_no_delay(
    check: str, delay_ms: float | None, delay: str | None
) -> None:
    assert (
        value(talk().finding(check, "caller.1 → assistant main", delay_ms=delay_ms), "delay")
        == delay
    )


def test_audio_that_stops_behind_a_mixer_that_then_sends_silence_has_stopped() -> None:
    example = with_a_person().with_agent("billing").after(1)
    example.with_agent("billing", "heard", "silence", packets=100)
    assert named(example) == [("agent-audio-stops", "certain")]


@pytest.mark.parametrize(
    ("level_dbov", "cause"), [(-55.0, "level-wrong"), (-30.0, "voice-distorted")]
)
def test_voice_that_the_codec_distorts_because_it_is_quiet_is_too_quiet(
    level_dbov: float, cause: str
) -> None:
    example = talk(ai="stand-in").to_ai()
    example.to_caller("other", 200, instead="distorted", level_dbov=level_dbov)
    assert named(example)[0] == (cause, "likely")


CUT: Any = ("audio.words", {"delay_ms": 180.0, "limit_ms": 100.0})


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        # words that another sound covers are not cut
        ([CUT, ("audio.beneath", {})], "sound-beneath-voice"),
        ([CUT, ("audio.echo", {})], "echo"),
        # an echo that hides a voice is an echo
        ([("audio.beneath", {}), ("audio.echo", {})], "echo"),
        ([("audio.first", {"delay_ms": 2400.0}), ("audio.echo", {})], "echo"),
        # pauses that grow by the beginnings of words are no holes
        ([CUT, ("audio.loss", {"spanned_s": 3.7, "filled_s": 3.15})], "words-cut-off"),
    ],
)
def test_what_explains_another_finding_is_the_only_cause(
    found: list[tuple[str, dict[str, Any]]], cause: str
) -> None:
    example = talk().both_hear()
    for check, measured in found:
        subject = "assistant main → caller.1" if check == "audio.words" else "caller.1"
        example.finding(check, subject, **measured)
    assert named(example) == [(cause, "certain")]


def test_the_codec_of_the_answer_counts() -> None:
    """An announcement before it may have another (RFC 3960 section 3.1), and so may a later change."""
    example = (
        dialled(ai="stand-in").codec("caller.1", "PCMA").codec("stand-in.1", "PCMU").after(1.0)
    )
    example.codec("caller.1", "PCMU").answered().after(1.0).codec("caller.1", "G722")
    assert facts_of(example)["codec.sides"].evidence == ("caller.1 has PCMU", "stand-in.1 has PCMU")
