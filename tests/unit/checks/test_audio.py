"""Checks of audio: whose voice arrived, the evidence for it, the sound heard in its place, and loss
of RTP.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.describe import HeardDescription
from harness.case.checks import audio
from harness.case.checks.audio import FEWEST_UNHEARD, ListenerReport, Sound
from harness.case.checks.claims import STRENGTH, Claim, Denial, Observation
from harness.case.events import Direction, SipMessage
from harness.case.measurement import Direction as Measured
from harness.case.verdict import Finding, Strength, Verdict
from tests.unit.checks.calls import counted

PAGE = Path(__file__).parents[3] / "docs" / "evidence.md"
HEARD = STRENGTH[Claim.HEARD]
OWN, KNOWN = 1, 2


def direction(
    sound: Sound | None,
    account: ListenerReport | None = None,
    least: Strength = Strength.PROVED,
    denial: Denial | None = None,
) -> Finding:
    more: dict[str, Any] = {
        "since": 10.0,
        "own": {OWN},
        "least": least,
        "names": {OWN: "b", KNOWN: "c"},
    }
    return audio.direction("a", "b", sound, account, towards="caller", denial=denial, **more)


def by(observation: Observation) -> Sound:
    return Sound(10.2, observation, f"a sign: {observation.name}")


def measured(finding: Finding) -> Measured:
    assert isinstance(finding.measured, Measured)
    return finding.measured


# -- what evidence is worth


def test_every_observation_has_its_worth_and_the_page_says_the_same() -> None:
    assert set(STRENGTH) == set(Claim)
    assert set().union(*STRENGTH.values()) == set(Observation)
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = {
        line
        for line in lines
        if line.startswith("| ") and not line.startswith(("| observation", "| claim"))
    }
    wanted = set()
    for claim, worth in STRENGTH.items():
        for observation, strength in worth.items():
            said = strength.name.lower() if strength > Strength.UNKNOWN else "nothing"
            of_claim = "" if claim is Claim.HEARD else f"{claim} | "
            wanted.add(f"| {of_claim}{observation} | {said} |")
    assert rows == wanted


def test_a_heard_mark_proves_the_direction_and_says_how_late() -> None:
    found = direction(Sound(10.2, Observation.MARK, "mark 7", 7, -20.0))
    assert (found.verdict, found.strength, measured(found).observation) == (
        Verdict.PASSED,
        Strength.PROVED,
        "mark",
    )
    assert round(found.facts["delay_ms"]) == 200


@pytest.mark.parametrize("observation", HEARD)
def test_evidence_weaker_than_asked_for_is_not_observable(observation: Observation) -> None:
    for least in Strength:
        passed = direction(by(observation), least=least).verdict is Verdict.PASSED
        assert passed is (HEARD[observation] >= max(least, Strength.INDICATED))


@pytest.mark.parametrize("denied", [Observation.RTCP, Observation.WORDS])
@pytest.mark.parametrize(
    "sign", [o for o in HEARD if HEARD[o] > Strength.UNKNOWN and o is not Observation.RTCP]
)
def test_nothing_passes_on_the_weaker_of_two_that_disagree(
    sign: Observation, denied: Observation
) -> None:
    denial = Denial(denied, f"a silence: {denied.name}")
    found = direction(by(sign), least=Strength.INDICATED, denial=denial)
    assert found.verdict is (
        Verdict.PASSED if HEARD[sign] > HEARD[denied] else Verdict.NOT_OBSERVABLE
    )
    for words in (f"sign: {sign.name}", f"silence: {denied.name}"):
        assert words in " ".join((found.actual, *found.evidence))
    assert measured(found).denied_by == denied.name.lower()


@pytest.mark.parametrize(
    ("counted", "denied", "kind"),
    [
        (Observation.RTCP, Observation.RECORDING, "silent RTP"),
        (Observation.RTCP, Observation.WORDS, "unheard"),
        (Observation.HOP_RTCP, Observation.RECORDING, "unheard"),  # counted ahead of the listener
    ],
)
def test_counted_packets_do_not_contradict_silence(
    counted: Observation, denied: Observation, kind: str
) -> None:
    found = direction(by(counted), denial=Denial(denied, "nothing was heard"))
    assert (found.verdict, measured(found).kind) == (Verdict.FAILED, kind)
    assert found.actual == f"nothing was heard, though a sign: {counted.name}"
    counts_fewer = Denial(Observation.RTCP, "RTCP counts none of 98 RTP packets")
    assert direction(by(counted), denial=counts_fewer).verdict is Verdict.NOT_OBSERVABLE


def test_a_denial_fails_and_shows_what_arrived_as_well() -> None:
    denial = Denial(Observation.WORDS, "a silence: WORDS")
    assert measured(direction(None, denial=denial)).kind == "unheard"
    found = direction(None, ListenerReport(2.0, None, rx_packets=0), denial=denial)
    assert (found.verdict, measured(found).kind) == (Verdict.FAILED, "no-rtp")
    assert found.actual == "no RTP packet arrived in 2.0 s and a silence: WORDS"


# -- what arrived instead


def report(**more: Any) -> ListenerReport:
    return ListenerReport(**({"seconds": 2.0, "level_dbov": -20.0, "rx_packets": 50} | more))


ANOTHER = HeardDescription("speech", "speech from 0.40 s", 0.4, ())


@pytest.mark.parametrize(
    ("received", "kind", "words"),
    [
        (
            report(marks=(OWN, 3)),
            "crossed",
            "in 2.0 s it heard b, a call that is not this one (mark 3): crossed audio",
        ),
        (report(marks=(OWN,)), "echo", "in 2.0 s it heard only itself: echo"),
        (report(marks=(OWN, KNOWN)), "other", ""),
        (report(instead=ANOTHER), "other", "in 2.0 s it heard speech from 0.40 s"),
        (report(rx_packets=0), "no-rtp", "no RTP packet arrived in 2.0 s"),
        (report(rx_packets=None, seconds=0.0), "no-rtp", "no media was set up, so nothing arrived"),
        (report(rx_packets=None, seconds=0.1), "other", ""),
        (
            report(level_dbov=None),
            "unmarked",
            "50 packets arrived in 2.0 s, and no mark was heard in them",
        ),
        (report(level_dbov=None, marks=(KNOWN,)), "unmarked", "no mark was heard in them, but c"),
        (
            report(level_dbov=None, rx_packets=None),
            "silence",
            "RTP packets arrived in 2.0 s, all silence",
        ),
        (report(level_dbov=-45.0), "other", ""),
        (
            report(level_dbov=-45.1),
            "silence",
            "50 packets arrived in 2.0 s, all silence",
        ),  # comfort noise
        (
            report(instead=replace(ANOTHER, what="silence")),
            "silence",
            "",
        ),  # behind the last of another sound
        (report(level_dbov=-60.0, instead=ANOTHER), "other", ""),
        (report(level_dbov=-60.1, instead=ANOTHER), "silence", ""),
        (report(level_dbov=-60.1, rx_other_type=45), "silence", ""),
        (
            report(level_dbov=-60.1, rx_other_type=46),
            "other-codec",
            "of another codec than the one agreed on",
        ),
        (
            report(rx_packets=0, undeciphered_from="h:1"),
            "undeciphered",
            "the SRTP key of the SDP fits, but others from h:1",
        ),
        (report(rx_packets=9, level_dbov=-96.0, undeciphered_from="h:1"), "silence", ""),
        # stray packets of others
        (
            report(rx_packets=0, unheard_packets=FEWEST_UNHEARD - 1, unheard_from="h:1"),
            "no-rtp",
            "",
        ),
        (report(level_dbov=-96.0, unheard_packets=90, unheard_from="h:1"), "silence", ""),
    ],
)
def test_what_arrived_instead(received: ListenerReport, kind: str, words: str) -> None:
    found = direction(None, received)
    assert (found.verdict, measured(found).kind) == (Verdict.FAILED, kind)
    assert found.actual.endswith(words)
    assert measured(found).foreign == tuple(mark for mark in received.marks if mark == 3)
    assert measured(found).echo is (OWN in received.marks)


def test_without_a_listener_or_with_rtp_that_was_not_listened_to_nothing_is_known() -> None:
    """Many send from another address than their SDP names (RFC 4961 section 3)."""
    unheard = direction(
        None, report(rx_packets=0, unheard_packets=90, unheard_from="192.0.2.9:4000")
    )
    for found in (direction(None), unheard):
        assert (found.verdict, measured(found).kind) == (Verdict.NOT_OBSERVABLE, "unknown")
    assert unheard.actual == (
        "not observable: no RTP packet arrived in 2.0 s from where SDP or signalling says, but 90 from 192.0.2.9:4000, "
        "which the phone does not listen to"
    )


@pytest.mark.parametrize(
    ("marks", "check", "actual"),
    [
        ([2], "audio.crossed", "it heard no other"),
        ([1, 2], "audio.echo", "it heard its own mark, as echo"),
        ([1, 3], "audio.crossed", "it heard mark 3 of another call and its own mark, as echo"),
    ],
)
def test_what_was_heard_of_others(marks: list[int], check: str, actual: str) -> None:
    found = audio.no_crossing("b", marks, {1}, {2})
    assert (found.check, found.actual) == (check, actual)


@pytest.mark.parametrize(
    ("at", "answered_at", "provisional", "passed"),
    [(1.0, None, 1, True), (1.0, 1.1, 1, True), (1.0, 1.0, 1, False), (1.0, 1.1, 0, False)],
)
def test_early_audio(at: float, answered_at: float | None, provisional: int, passed: bool) -> None:
    found = audio.early(
        "a", "b", Sound(at, Observation.MARK, "mark 7", 7), answered_at, provisional
    )
    assert (found.verdict is Verdict.PASSED) is passed
    assert ("after the answer" in found.actual) is (answered_at == at)
    assert ("no 18x" in found.actual) is (provisional == 0)


SESSION = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("status", "body", "way", "opens"),
    [
        ("182 Queued", SESSION, "received", True),
        ("180 Ringing", "", "received", False),
        ("100 Trying", SESSION, "received", False),
        ("200 OK", SESSION, "received", False),
        ("183 Session Progress", SESSION, "sent", False),
        ("183 Session Progress", SESSION.replace("m=audio", "m=video"), "received", False),
    ],
)
def test_any_provisional_response_with_audio_opens_early_media(
    status: str, body: str, way: Direction, opens: bool
) -> None:
    text = f"SIP/2.0 {status}\r\nCSeq: 1 INVITE\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    where = {"transport": "udp", "local": "192.0.2.1:5060", "remote": "192.0.2.2:5060"}
    assert (
        audio.opens_early_media(
            SipMessage(at=1.0, phone="p", leg="p.1", direction=way, text=text, **where)
        )
        is opens
    )


# -- loss


@pytest.mark.parametrize(
    ("received", "lost", "passed"),
    [
        (190, 10, True),
        (189, 11, False),
        (95, 5, True),
        (94, 6, False),
        (48, 2, True),
        (50, 0, True),
        # of few packets a few lost say nothing, and very many are beyond chance
        (49, 0, None),
        (48, 1, None),
        (4, 4, None),
        (30, 5, None),
        (44, 5, None),
        (3, 5, False),
        (0, 5, False),
        (35, 12, False),
    ],
)
def test_loss_is_a_share_of_what_was_sent(received: int, lost: int, passed: bool | None) -> None:
    found = audio.loss("p.1", counted(received, lost))
    assert (None if found is None else found.verdict is Verdict.PASSED) is passed


def test_a_packet_that_came_twice_was_sent_once() -> None:
    """As on bonded lines (RFC 7198): 90 of 990, not of 1890."""
    found = audio.loss("caller.1", replace(counted(1800, 90), rx_duplicated=900))
    assert found is not None
    assert (found.verdict, found.actual) == (Verdict.FAILED, "90 of 990 were (9.1%)")
    assert audio.is_open(replace(counted(120, 9), rx_duplicated=60))


@given(st.lists(st.floats(200.0, 999.0), max_size=8), st.integers(1000, 60_000))
def test_a_voice_that_is_broken_up_has_lost_what_it_was_silent_for(
    pauses: list[float], flowed_ms: int
) -> None:
    """By the same limit as packets that are missing; one pause alone is a moment's."""
    even = replace(counted(flowed_ms // 20, 0), rx_spanned_ms=flowed_ms, rx_filled_ms=flowed_ms)
    limit = audio.MOST_LOST if len(pauses) > 1 else 1 - audio.LEAST_FILLED
    missing = sum(pauses) / (flowed_ms + sum(pauses))
    caught_up = replace(
        even, rx_filled_ms=flowed_ms + int(sum(pauses))
    )  # late, and sent all the same
    for counters, passed in ((even, missing <= limit), (caught_up, True)):
        found = audio.loss("caller.1", counters, pauses)
        assert found is not None
        assert (found.verdict is Verdict.PASSED) is passed


@pytest.mark.parametrize(
    ("spanned_ms", "filled_ms", "passed"), [(999, 0, True), (1000, 749, False), (1000, 750, True)]
)
def test_a_stream_is_thin_if_a_quarter_of_a_second_or_more_is_missing(
    spanned_ms: int, filled_ms: int, passed: bool
) -> None:
    found = audio.loss(
        "p.1", replace(counted(100, 0), rx_spanned_ms=spanned_ms, rx_filled_ms=filled_ms)
    )
    assert found is not None
    assert (found.verdict is Verdict.PASSED) is passed


@pytest.mark.parametrize(
    ("lost", "said"), [(0, "with no gap in its sequence numbers"), (3, "with 3 lost packets in it")]
)
def test_a_thin_stream_says_whether_packets_were_lost(lost: int, said: str) -> None:
    found = audio.loss("p.1", replace(counted(100, lost), rx_spanned_ms=4000, rx_filled_ms=2000))
    assert found is not None
    assert found.actual.startswith(
        f"of 4.0 s it filled 2.0 s (50%), {said}: its source sends too few packets"
    )


@pytest.mark.parametrize(
    ("received", "lost", "is_open"), [(30, 0, False), (0, 1, True), (98, 1, True), (99, 1, False)]
)
def test_a_packet_missing_of_few_leaves_it_open(received: int, lost: int, is_open: bool) -> None:
    assert audio.is_open(counted(received, lost)) is is_open
