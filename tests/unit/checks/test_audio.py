from __future__ import annotations

import pytest

from harness.audio.describe import HeardDescription
from harness.calls.checks import audio
from harness.calls.checks.audio import ListenerReport, Sound
from harness.calls.checks.claims import Observation
from harness.calls.events import Direction, SipMessage
from harness.calls.verdict import Strength, Verdict
from tests.unit.checks.calls import heard

SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def test_a_heard_mark_proves_the_direction_and_says_how_late() -> None:
    finding = heard(Sound(10.2, Observation.MARK, "mark 7", 7, -20.0))
    assert finding.verdict is Verdict.PASSED
    assert finding.strength is Strength.PROVED
    assert round(finding.facts["delay_ms"]) == 200


def test_weaker_evidence_than_asked_for_proves_nothing_either_way() -> None:
    weak = Sound(10.2, Observation.RTCP, "RTP counters")
    assert heard(weak).verdict is Verdict.NOT_OBSERVABLE
    assert heard(weak, least=Strength.INDICATED).verdict is Verdict.PASSED


def test_what_came_instead_is_told_apart() -> None:
    cases = {
        "no-rtp": ListenerReport(2.0, None, (), rx_packets=0),
        "silence": ListenerReport(2.0, -96.0, (), rx_packets=100),
        "echo": ListenerReport(2.0, -20.0, (9, 9), rx_packets=100),
        "crossed": ListenerReport(2.0, -20.0, (77,), rx_packets=100),
        "other": ListenerReport(
            2.0, -20.0, (), rx_packets=100, instead=HeardDescription("speech", "speech from 0.40 s", 0.4, ())
        ),
    }
    told = {kind: heard(None, account) for kind, account in cases.items()}
    assert {kind: f.facts["kind"] for kind, f in told.items()} == {kind: kind for kind in cases}
    assert all(f.verdict is Verdict.FAILED for f in told.values())
    assert "mark 77" in told["crossed"].actual
    assert told["other"].actual == "in 2.0 s it heard speech from 0.40 s"
    assert told["other"].facts["instead"] == "speech"
    assert "echo" in told["echo"].actual


def test_whose_voice_it_was_and_when_is_said_by_the_recording() -> None:
    words = "a call that is not this one (mark 77), from 0.10 to 2.00 s: crossed audio"
    account = ListenerReport(2.0, -20.0, (77,), rx_packets=100, instead=HeardDescription("crossed", words, 0.1, (77,)))
    assert str(heard(None, account)) == (
        f"audio of caller.1 → stand-in.1: expected stand-in.1 hears caller.1; in 2.0 s it heard {words}"
    )


def test_nothing_known_is_not_silence() -> None:
    finding = heard(None, None)
    assert finding.verdict is Verdict.NOT_OBSERVABLE
    assert finding.facts["kind"] == "unknown"


def test_crossing_over_the_whole_leg() -> None:
    clean = audio.no_crossing("caller.1", [240, 263], own={7}, allowed=[240, 263])
    crossed = audio.no_crossing("caller.1", [240, 99], own={7}, allowed=[240])
    echo = audio.no_crossing("caller.1", [7], own={7}, allowed=[])
    assert (clean.check, clean.verdict) == ("audio.crossed", Verdict.PASSED)
    assert crossed.verdict is Verdict.FAILED
    assert crossed.facts["foreign"] == [99]
    assert echo.verdict is Verdict.FAILED
    assert echo.check == "audio.echo"


def test_silence_is_only_shown_by_listening() -> None:
    assert audio.silent("a", "b", [], {7}, 0.8).verdict is Verdict.PASSED
    assert audio.silent("a", "b", [7], {7}, 0.8).verdict is Verdict.FAILED
    assert audio.silent("a", "b", [], {7}, 0.0).verdict is Verdict.FAILED


@pytest.mark.parametrize("seconds", [0.5, 4.0])
@pytest.mark.parametrize(
    ("discarded", "verdict"),
    [(0, Verdict.PASSED), (1, Verdict.PASSED), (3, Verdict.PASSED), (8, Verdict.FAILED), (200, Verdict.FAILED)],
)
def test_on_hold_what_keeps_a_binding_alive_is_no_audio(discarded: int, verdict: Verdict, seconds: float) -> None:
    assert audio.silent("a", "b", [], {7}, seconds, discarded).verdict is verdict
    assert audio.silent("a", "b", [7], {7}, seconds, discarded).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("status", "body", "direction", "opens"),
    [
        ("183 Session Progress", SESSION, "received", True),
        ("180 Ringing", SESSION, "received", True),
        ("182 Queued", SESSION, "received", True),
        ("180 Ringing", "", "received", False),
        ("100 Trying", SESSION, "received", False),
        ("200 OK", SESSION, "received", False),
        ("183 Session Progress", SESSION, "sent", False),
        ("183 Session Progress", SESSION.replace("m=audio", "m=video"), "received", False),
    ],
)
def test_any_provisional_response_with_audio_opens_early_media(
    status: str, body: str, direction: Direction, opens: bool
) -> None:
    text = f"SIP/2.0 {status}\r\nCSeq: 1 INVITE\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    where = {"transport": "udp", "local": "192.0.2.1:5060", "remote": "192.0.2.2:5060"}
    told = SipMessage(at=1.0, phone="caller", leg="caller.1", direction=direction, text=text, **where)
    assert audio.opens_early_media(told) is opens
