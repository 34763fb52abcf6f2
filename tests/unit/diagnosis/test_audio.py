"""Facts on what each side hears of the other, and when it stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calls.events import LegStarted, RtpStatistics
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


@pytest.mark.parametrize(("octets", "heard"), [(160, "a few packets"), (240, "silent RTP"), (480, "silent RTP")])
def test_fewer_packets_that_hold_more_are_for_all_of_the_time(octets: int, heard: str) -> None:
    """RFC 3551 section 4.2: 20 ms are a default; with 60 ms a third of the packets is all that there is."""
    call = talk().counted(received=50).to_caller("silence", 50, listened_s=2.4)
    call.events = [
        replace(event, rx_bytes=50 * octets) if isinstance(event, RtpStatistics) else event for event in call.events
    ]
    assert facts_of(call).value("audio.to_caller") == heard


def test_a_packet_that_came_before_anybody_listened_came() -> None:
    one = talk().counted(received=1).to_caller("no-rtp", 0)
    assert facts_of(one).value("audio.to_caller") == "a few packets"
    assert facts_of(talk().counted(received=0).to_caller("no-rtp", 0)).value("audio.to_caller") == "nothing"
    assert facts_of(talk().counted(received=FEW_PACKETS).to_caller("no-rtp", 0)).value("audio.to_caller") == "nothing"


@pytest.mark.parametrize(("mark", "heard"), [(239, "crossed"), (240, None), (99, "crossed")])
def test_without_the_ai_s_side_only_a_phone_s_mark_is_another_call_s(mark: int, heard: str | None) -> None:
    """Voices of assistants begin at 240: one of them may be the right one."""
    example = talk().to_caller("crossed", 200, foreign=[mark])
    assert facts_of(example, "caller").value("audio.to_caller") == heard
    assert facts_of(example).value("audio.to_caller") == "crossed"


def test_the_first_that_failed_is_told() -> None:
    facts = facts_of(talk().to_caller().after(1).to_caller("no-rtp"))
    assert facts.value("audio.to_caller") == "nothing"
    assert facts.value("audio.stopped") is True
    assert facts_of(talk().to_caller("no-rtp").to_caller()).value("audio.stopped") is False
    assert facts_of(talk().to_caller("no-rtp").to_caller("no-rtp")).value("audio.stopped") is False
    assert "audio.stopped" not in facts_of(talk())


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


@pytest.mark.parametrize("at_change", [0.9, -0.9, 0.0])
def test_audio_that_stopped_when_the_call_was_changed(at_change: float) -> None:
    assert _stopped(at_change).value("audio.stopped_at") == "a re-INVITE or UPDATE"


@pytest.mark.parametrize("at_change", [1.0, -1.0, 5.0])
def test_audio_that_stopped_by_itself(at_change: float) -> None:
    facts = _stopped(at_change)
    assert facts.value("audio.stopped_at") == "nothing in particular"
    assert facts["audio.stopped_at"].evidence == ("10.0 s into the call",)


def test_nobody_can_tell_when_audio_stopped_at_a_listener_that_does_not_say() -> None:
    assert _stopped(0.0, heard=False).value("audio.stopped_at") is None
    assert _stopped(0.0, at_agent=True).value("audio.stopped_at") is None


@pytest.mark.parametrize("at_change", [-10.0, 10.0, 11.0])
def test_a_change_before_the_call_or_after_the_failure_is_none(at_change: float) -> None:
    facts = _stopped(at_change, heard=False)
    assert facts["audio.stopped_at"].evidence == ("assistant main was heard, and nobody changed the call",)


def test_an_invite_that_begins_a_call_and_one_of_another_leg_change_nothing() -> None:
    example = Example(now=0.0).dials().ai_gets().answered().taken().to_caller().after(10)
    example._at_caller("sent", "INVITE sip:platform SIP/2.0\r\nTo: <sip:platform>")
    example._at_caller("sent", "INFO sip:platform SIP/2.0\r\nTo: <sip:platform>;tag=p")
    example.at_phone("caller", "INVITE", within=True)
    facts = facts_of(example.after(1).to_caller("no-rtp"))
    assert facts["audio.stopped_at"].evidence == ("assistant main was heard, and nobody changed the call",)


def test_a_mark_after_the_failure_is_not_the_last_before_it() -> None:
    example = Example(now=0.0).dials().ai_gets().answered().taken().to_caller().after(5).hears_mark("caller.1", 240)
    example.after(5).to_caller("no-rtp").hears_mark("caller.1", 240)
    assert facts_of(example)["audio.stopped_at"].evidence == ("5.0 s into the call",)


def test_the_last_mark_before_the_failure_counts_from_when_the_call_was_dialled() -> None:
    example = Example(now=100.0).dials().ai_gets().answered().taken().to_caller()
    example.after(2).hears_mark("caller.1", 240).after(5).hears_mark("caller.1", 240)
    still = facts_of(example.copy().after(5).to_caller("no-rtp"))
    assert still["audio.stopped_at"].evidence == ("7.0 s into the call",)
    changed = facts_of(example.after(0.5).reinvites().after(5).to_caller("no-rtp"))
    assert changed.value("audio.stopped_at") == "a re-INVITE or UPDATE"


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


@pytest.mark.parametrize("where", ["caller", "stand-in"])
@pytest.mark.parametrize(("method", "more"), [("INVITE", ""), ("INVITE", _WITH_SDP), ("UPDATE", _WITH_SDP)])
def test_a_change_is_made_by_either_request_and_on_either_leg(method: str, more: str, where: str) -> None:
    """RFC 3261 section 14 and RFC 3311: the platform may change the leg of the AI alone."""
    example = _changed(method, where, more)
    assert facts_of(example).value("audio.stopped_at") == "a re-INVITE or UPDATE"
    assert [cause.id for cause in example.diagnose().causes] == ["media-lost-on-reinvite"]


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


def test_a_stand_in_is_known_by_the_mark_of_its_own_leg() -> None:
    def heard(mark: int) -> object:
        example = Example(now=0.0, ai="stand-in").dials().rings("stand-in").rings("billing").ai_gets().answered()
        own = [e for e in example.events if isinstance(e, LegStarted) and e.phone == "billing"]
        example.events[example.events.index(own[0])] = replace(own[0], mark=10)
        return facts_of(example.taken().hears_mark("caller.1", mark).to_caller("no-rtp")).value("audio.stopped")

    assert heard(9) is True
    assert heard(10) is False


@pytest.mark.parametrize(("mark", "late"), [(240, True), (7 + 256, True), (241, False), (7, False), (99, False)])
def test_a_voice_that_was_heard_afterwards_came_late_and_did_not_stop(mark: int, late: bool) -> None:
    facts = facts_of(talk().to_ai().to_caller("no-rtp").after(1).hears_mark("caller.1", mark))
    assert facts.value("audio.to_caller") == ("nothing at first" if late else "nothing")
    assert facts.value("audio.stopped") is False
