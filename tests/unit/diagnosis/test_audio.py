"""Facts on what each side hears of the other, and when it stopped."""

from __future__ import annotations

import pytest

from harness.diagnosis.audio import FEW_PACKETS
from harness.diagnosis.facts import Facts
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import facts_of, talk


@pytest.mark.parametrize(
    ("kind", "packets", "heard"),
    [
        ("no-rtp", 0, "nothing"),
        ("silence", FEW_PACKETS - 1, "a few packets"),
        ("silence", FEW_PACKETS, "silent RTP"),
        ("silence", 1, "a few packets"),
        ("silence", 0, "nothing"),
        ("silence", None, "silence"),
        ("other", FEW_PACKETS - 1, "a few packets"),
        ("other", FEW_PACKETS, "noise"),
        ("other", None, "noise"),
        ("unmarked", FEW_PACKETS - 1, "a few packets"),
        ("unmarked", FEW_PACKETS, "no mark"),
        ("echo", 1, "echo"),
        ("crossed", 1, "crossed"),
        ("other-codec", 1, "RTP of another codec"),
        ("undeciphered", 0, "RTP that the SRTP key does not fit"),
        ("unknown", 1, None),
    ],
)
def test_what_arrived_in_a_voice_s_place(kind: str, packets: int | None, heard: str | None) -> None:
    assert facts_of(talk().to_caller(kind, packets)).value("audio.to_caller") == heard
    assert facts_of(talk().to_ai(kind, packets)).value("audio.to_ai") == heard


@pytest.mark.parametrize(("packets", "heard"), [(39, "a few packets"), (60, "a few packets"), (61, "silent RTP")])
def test_rtp_that_came_for_less_than_half_of_the_time_is_no_silence_that_somebody_sends(
    packets: int, heard: str
) -> None:
    assert facts_of(talk().to_caller("silence", packets, listened_s=2.4)).value("audio.to_caller") == heard
    noise = talk().to_caller("other", packets, listened_s=2.4)
    assert facts_of(noise).value("audio.to_caller") == ("noise" if heard == "silent RTP" else heard)
    assert facts_of(noise.counted(received=packets, lost=100)).value("audio.to_caller") == "noise", "it was sent"


def test_a_strange_voice_beneath_the_right_one_is_told_of_its_listener() -> None:
    def crossed(subject: str, *, passed: bool = False) -> Facts:
        return facts_of(talk().to_ai().to_caller().finding("audio.crossed", subject, passed))

    assert crossed("caller.1").value("audio.to_caller") == "crossed"
    assert crossed("assistant main").value("audio.to_ai") == "crossed"
    assert crossed("billing.1").value("audio.agent") == "crossed"
    assert crossed("probe").value("audio.to_caller") == "heard"
    assert crossed("caller.1", passed=True).value("audio.to_caller") == "heard"


@pytest.mark.parametrize(
    ("to_agent", "to_caller", "value"),
    [
        ("heard", "heard", "both ways"),
        ("no-rtp", "heard", "one way"),
        ("heard", "no-rtp", "one way"),
        ("no-rtp", "no-rtp", "none either way"),
        ("crossed", "heard", "crossed"),
        ("no-rtp", "crossed", "crossed"),
    ],
)
def test_audio_with_an_agent(to_agent: str, to_caller: str, value: str) -> None:
    facts = facts_of(talk().to_ai().to_caller().with_agent("billing", to_agent, to_caller))
    assert facts.value("audio.agent") == value
    assert facts.value("audio.phase") == (None if value == "both ways" else "with the agent only")


def _stopped(at_change: float, *, heard: bool = True, at_agent: bool = False) -> Facts:
    """A voice, last heard at 10 s; a re-INVITE so much later or earlier."""
    example = Example(now=0.0, row="HOLD").dials().ai_gets().answered().taken().to_caller()
    example.now = 10.0 + at_change
    example.reinvites()
    if heard:
        example.now = 10.0
        example.hears_mark("billing.1" if at_agent else "caller.1", 240)
    example.now = 20.0
    return facts_of(example.to_caller("no-rtp"))


def test_nobody_can_tell_when_audio_stopped_at_a_listener_that_does_not_say() -> None:
    assert _stopped(0.0, heard=False).value("audio.stopped_at") is None
    assert _stopped(0.0, at_agent=True).value("audio.stopped_at") is None


_WITH_SDP = "\r\nContent-Type: application/sdp\r\n\r\n" + SDP.format(
    host="198.51.100.9", protocol="RTP/AVP", formats="0", lines=""
)


def _changed(method: str, where: str, more: str = "", *, heard: bool = True, tag: str = ";tag=c") -> Example:
    """A voice, last heard when that request of the platform's came; where it came says who has it."""
    example = Example(now=0.0, row="HOLD", ai="stand-in" if where == "stand-in" else "synthflow")
    example.dials().ai_gets().answered().taken().to_ai().to_caller()
    if where == "stand-in":
        example.rings("stand-in")
    example.now = 10.0
    if heard:
        example.hears_mark("caller.1", 9 if where == "stand-in" else 240)
    if where == "caller":
        example._at_caller("received", f"{method} sip:caller SIP/2.0\r\nTo: <sip:caller>{tag}{more}")
    else:
        body = more.partition("\r\n\r\n")[2]
        example._sip("received", f"{method} sip:ai SIP/2.0", method, body, to=f"<sip:ai@x>{tag}", number="2")
    example.now = 20.0
    return example.to_ai("no-rtp").to_caller("no-rtp")


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize(
    ("method", "more", "told"),
    [("INVITE", "", None), ("UPDATE", _WITH_SDP, None), ("UPDATE", "", "nothing in particular")],
)
def test_nobody_can_tell_when_a_change_was_that_the_ai_s_record_shows(
    method: str, more: str, told: str | None, heard: bool
) -> None:
    """Its messages have no time."""
    example = _changed(method, "record", more, heard=heard)
    assert facts_of(example).value("audio.stopped_at") == told
    certain = [cause.id for cause in example.diagnose().causes if cause.confidence == "certain"]
    assert ("rtp-blocked-after-10s" in certain) is (told is not None)


@pytest.mark.parametrize(("mark", "late"), [(240, True), (7 + 256, True), (241, False), (7, False), (99, False)])
def test_a_voice_that_was_heard_afterwards_came_late_and_did_not_stop(mark: int, late: bool) -> None:
    facts = facts_of(talk().to_ai().to_caller("no-rtp").after(1).hears_mark("caller.1", mark))
    assert facts.value("audio.to_caller") == ("nothing at first" if late else "nothing")
    assert facts.value("audio.stopped") is False
