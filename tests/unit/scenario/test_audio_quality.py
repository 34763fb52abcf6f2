"""Closer looks at audio: other voices and levels, phones that sent nothing, pauses, and thin
streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import reply_to, waveform
from harness.audio.wav import to_int16
from harness.case.checks import audio
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Observation
from harness.case.events import Event, Listened, MarkHeard, MediaState, RtpPaused, RtpStatistics
from harness.case.legs import LegEvents
from harness.case.verdict import Strength, Verdict
from harness.deployment import Assistant
from harness.scenario import audio_quality, conclusion
from harness.scenario.ai_calls import StandInCall
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.expect_audio import ExpectAudio
from tests.unit.audio import sounds
from tests.unit.audio.music import music
from tests.unit.checks.calls import counted
from tests.unit.clock import Clock
from tests.unit.phone_events import rtp_statistics, sip_message
from tests.unit.scenario.conftest import MakeContext, busy
from tests.unit.scenario.legs import ScriptedLeg, states
from tests.unit.scenario.legs import heard as mark_heard
from tools.accuracy.music import hold_music

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED
OWN, VOICE, FOREIGN, SALES, OTHERS = 7, 240, 99, 246, 8
ASSISTANTS = {
    "main": Assistant(did="+12065550100", voice=VOICE),
    "sales": Assistant(did="+12065550101", voice=SALES),
}


def sound(*beneath: int, db: float = -15.0) -> NDArray[np.int16]:
    """The AI's voice, and others beneath it."""
    mixed = np.tile(waveform(VOICE), 8)
    for turn, mark in enumerate(beneath, start=1):
        mixed = mixed + np.roll(np.tile(waveform(mark), 8), 333 * turn) * 10 ** (db / 20)
    return to_int16(mixed)


def hearing(
    *looks: NDArray[np.int16], level_dbov: float = -15.0, ended: bool = False, lasts: bool = False
) -> Any:
    """A caller's leg that received these sounds, one a look, the last one from then on."""
    left = list(looks)
    marks = [
        replace(mark_heard(at, VOICE), level_dbov=level_dbov)
        for at in (1.2, *([1e6] if lasts else []))
    ]
    told = [
        *states("confirmed", began=1.0),
        *marks,
        *(states("disconnected", began=2.0) if ended else []),
    ]
    return ScriptedLeg(*told, heard=lambda since: left.pop(0) if left[1:] else left[0])


def ai() -> Any:
    """The assistant that the caller talks to."""
    return SimpleNamespace(
        label="assistant main",
        role="ai",
        is_ours=False,
        voices_for=lambda peer: {VOICE},
        answered_at=lambda: 1.0,
        hears=lambda speaker, since, deadline: Sound(since, Observation.MARK, "mark 7"),
    )


def case(make_context: MakeContext, leg: Any, **changes: Any) -> tuple[CaseContext, Call]:
    """A case with two callers, of whom the assistant main took the first."""
    context = make_context(assistants=ASSISTANTS, **changes)
    took: Any = SimpleNamespace(assistant="main", legs=())
    context.calls.of_the_ai.append(took)
    other: Any = ScriptedLeg(name="caller.2", mark=OTHERS)
    context.calls.add(Call(context, other, "caller"))
    return context, context.calls.add(Call(context, leg, "caller"))


@pytest.mark.parametrize(
    ("leg", "wrong"),
    [
        (hearing(sound()), []),
        (hearing(sound(FOREIGN)), ["audio.crossed: it heard mark 99 of another call"]),
        (hearing(sound(FOREIGN), sound()), []),  # heard once only
        (hearing(sound(SALES)), ["audio.crossed: it heard assistant sales"]),
        (hearing(sound(reply_to(OTHERS))), ["audio.crossed: it heard the AI answering caller.2"]),
        (hearing(sound(reply_to(OWN))), []),
        (hearing(sound(OWN)), ["audio.echo: it heard its own mark, as echo"]),
        (
            hearing(sound(), level_dbov=-50.0),
            ["audio.level: at -50 dBov, 35 dB below what was sent"],
        ),
        (hearing(sound(), ended=True), ["call.up: it ended 1.0 s after it was answered"]),
    ],
)
def test_an_end_hears_its_peer_alone(make_context: MakeContext, leg: Any, wrong: list[str]) -> None:
    context, call = case(make_context, leg)
    audio_quality.check_crosstalk(context, call, ai())
    assert [
        f"{f.check}: {f.actual}" for f in context.evidence.findings if f.verdict is FAILED
    ] == wrong


def test_only_other_conversations_are_strange(make_context: MakeContext) -> None:
    """Within one caller's conversation all may hear each other: a briefing, a transfer, a second
    leg.
    """
    context = make_context()

    def add(name: str, mark: int, of: Call | None = None) -> Call:
        leg: Any = ScriptedLeg(name=name, mark=mark)
        phone: Any = None
        if of is not None and name.startswith("ai"):
            taken = StandInCall(context, leg, phone, context.trunk, "main", of)
            context.calls.of_the_ai.append(taken)
            return taken
        return context.calls.add(Call(context, leg, name.partition(".")[0], peer=of))

    first, second = add("caller.1", 1), add("caller.2", 2)
    talk, _ = add("ai.1", 3, first), add("ai.2", 4, second)
    agent = add("agent.1", 5, first)
    everybody = {1, 2, 3, 4, 5, *map(reply_to, (1, 2))}
    theirs = {2, 4, reply_to(2)}
    assert context.calls.strange(first.leg, everybody) == theirs | {1}
    assert context.calls.strange(agent.leg, everybody) == theirs | {5}
    assert context.calls.strange(talk.leg, everybody) == theirs | {3}
    assert context.calls.strange(second.leg, everybody) == {1, 2, 3, 5, reply_to(1)}
    again = add("caller.3", 6)
    add("ai.3", 1, again)  # a load's later call may have a mark again
    assert context.calls.strange(again.leg, {1}) == set()


@pytest.mark.parametrize(
    ("looks", "held", "verdict"),
    [
        ([sound()], False, PASSED),
        (
            [sound(OTHERS, db=-20.0)],
            False,
            FAILED,
        ),  # an AI that stays in a conference of caller and agent
        ([sound(OTHERS, db=-6.0), sound()], False, PASSED),  # what was on its way
        ([sound(OTHERS, db=-6.0)], True, PASSED),  # a phone that holds the call takes no audio
    ],
)
def test_who_is_heard_beneath_another_is_not_silent(
    make_context: MakeContext,
    clock: Clock,
    looks: list[NDArray[np.int16]],
    held: bool,
    verdict: Verdict,
) -> None:
    context, made = make_context(clock=clock), hearing(*looks)
    made.told.append(Listened(at=clock.now + 60.0, seconds=9.0, level_dbov=-15.0, **TOLD))
    if held:
        made.told.append(media(1.0, "sendonly"))
        made.counted = counted(100, 0)
    left: Any = SimpleNamespace(label="ai.1", voices_for=lambda peer: {OTHERS})
    ExpectAudio(context, Call(context, made, "caller")).silence_from(left)
    assert [(f.check, f.verdict) for f in context.evidence.findings] == [("audio.silent", verdict)]


@pytest.mark.parametrize(
    ("start", "last_s", "named"),
    [
        ("REFER sip:ai@example.com SIP/2.0", 3.0, True),
        ("BYE sip:ai@example.com SIP/2.0", 3.0, False),
        ("REFER x", 1.4, False),
    ],
)
def test_an_ai_that_handed_over_by_refer_is_not_heard_beside_the_person(
    make_context: MakeContext, start: str, last_s: float, named: bool
) -> None:
    context = make_context()
    person, theirs = 5, 3
    told = [
        mark_heard(1.2 + 0.2 * turn, person if turn % 2 else theirs)
        for turn in range(20)
        if 0.2 * turn < last_s
    ]
    heard = to_int16(np.tile(waveform(person), 12))
    agent: Any = ScriptedLeg(*told, name="agent.1", mark=6, heard=lambda since: heard)
    caller: Any = ScriptedLeg(mark=person)
    first = context.calls.add(Call(context, caller, "caller"))
    context.calls.add(Call(context, agent, "agent", peer=first))
    ai_leg: Any = ScriptedLeg(sip_message("sent", start), name="ai.1", mark=theirs)
    phone: Any = None
    context.calls.of_the_ai.append(
        StandInCall(context, ai_leg, phone, context.trunk, "main", first)
    )
    audio_quality.listen_to_whole_call(context, agent)
    found = [
        f.actual
        for f in context.evidence.findings
        if f.check == "audio.beneath" and f.verdict is FAILED
    ]
    assert found == ["it heard ai.1, beside the person who has the call now"] * named


@pytest.mark.parametrize(
    ("state", "verdicts"), [("confirmed", [FAILED]), ("disconnected", [PASSED])]
)
def test_what_sounds_beneath_is_searched_for_longer_where_little_was_heard(
    make_context: MakeContext, clock: Clock, state: str, verdicts: list[Verdict]
) -> None:
    context, began = make_context(clock=clock), clock.now
    whole = sounds.mix(sounds.mark(5, 3.8), music(3.8) // 2)
    agent: Any = ScriptedLeg(
        mark_heard(1.2, 5),
        name="agent.1",
        mark=6,
        state=state,
        heard=lambda since: whole if clock.now > began else whole[:7200],
    )
    audio_quality.listen_to_whole_call(context, agent)
    assert [f.verdict for f in context.evidence.findings if f.check == "audio.beneath"] == verdicts


@pytest.mark.parametrize(
    ("share", "longest_s", "least_s"),
    [(1.0, 1.2, 0.3), (0.1, 3.01, 3.0)],  # the whole mark arrives, or a tenth of it
)
def test_a_longer_look_ends_when_enough_was_heard(
    make_context: MakeContext, clock: Clock, share: float, longest_s: float, least_s: float
) -> None:
    context, began = make_context(clock=clock), clock.now
    whole = sounds.mark(5, 3.8)
    agent: Any = ScriptedLeg(
        mark_heard(1.2, 5),
        name="agent.1",
        mark=6,
        state="confirmed",
        heard=lambda since: whole[: 7200 + round(8000 * share * (clock.now - began))],
    )
    audio_quality.listen_to_whole_call(context, agent)
    assert least_s <= clock.now - began <= longest_s


# -- A voice that was sent whole and arrives with holes


def with_holes(samples: NDArray[np.int16], *seconds: tuple[float, float]) -> NDArray[np.int16]:
    """The sound with silence from and to these times."""
    broken = samples.copy()
    for began, ended in seconds:
        broken[round(8000 * began) : round(8000 * ended)] = 0
    return broken


HOLES = ((1.0, 1.3), (2.0, 2.3), (3.0, 3.3))
PAUSES = ((0.6, 0.9), (1.2, 1.6), (1.9, 2.3))
LONGER = ((1.0, 1.6), (2.0, 2.6), (3.0, 3.6))


@pytest.mark.parametrize(
    ("arrives", "sent", "pressed", "negotiated_at", "wrong"),
    [
        (HOLES, (), [], 0.0, ["silences: 3, at most of 300 ms, in all 24% of the 3.8 s"]),
        (HOLES[:1], (), [], 0.0, []),  # one moment may be anything
        (((1.0, 1.06), (2.0, 2.06), (3.0, 3.06)), (), [], 0.0, []),  # concealed (G.711 appendix I)
        (HOLES, HOLES, [], 0.0, []),  # the speaker paused
        (LONGER, HOLES, [], 0.0, ["silences: 3, at most of 600 ms, in all 24% of the 3.8 s"]),
        # pauses of a speaker that are heard a little longer
        (((1.0, 1.12), (2.0, 2.16)), ((1.0, 1.08), (2.0, 2.16)), [], 0.0, []),
        (HOLES[:2], (), [(1.9, 2.4)], 0.0, []),  # digits are sent in place of audio (RFC 4733)
        (HOLES[:2], (), [], 2.1, []),  # the media was negotiated anew
    ],
)
def test_a_voice_that_was_sent_whole_must_not_have_holes(
    make_context: MakeContext,
    arrives: tuple[tuple[float, float], ...],
    sent: tuple[tuple[float, float], ...],
    pressed: list[tuple[float, float]],
    negotiated_at: float,
    wrong: list[str],
) -> None:
    context, whole = make_context(), sounds.mark(5, 3.8)
    speaking: Any = ScriptedLeg(name="stand-in.1", mark=5)
    speaking.sent = lambda: with_holes(whole, *sent)
    speaker = context.calls.add(Call(context, speaking, "ai"))
    speaker.pressed = pressed
    came = with_holes(whole, *arrives)
    listening: Any = ScriptedLeg(
        mark_heard(0.2, 5), media(negotiated_at), state="disconnected", heard=lambda since: came
    )
    audio_quality.listen_to_whole_call(context, listening)
    found = [f.actual for f in context.evidence.findings if f.failed]
    assert [actual.partition(" in which")[0] for actual in found] == wrong


def test_a_recording_is_read_once_when_the_call_is_over(make_context: MakeContext) -> None:
    context, whole, reads = make_context(), sounds.mark(5, 3.8), []

    def heard(since: float) -> NDArray[np.int16]:
        reads.append(since)
        return whole

    speaking: Any = ScriptedLeg(name="stand-in.1", mark=5)
    context.calls.add(Call(context, speaking, "ai"))
    listening: Any = ScriptedLeg(mark_heard(0.2, 5), state="disconnected", heard=heard)
    audio_quality.listen_to_whole_call(context, listening)
    assert len(reads) == 1


@pytest.mark.parametrize(("lost", "late", "failed"), [(0, 0, 1), (45, 0, 0), (0, 45, 0), (0, 3, 1)])
def test_holes_as_long_as_lost_packets_are_counted_as_losses(
    make_context: MakeContext, lost: int, late: int, failed: int
) -> None:
    context, whole = make_context(), sounds.mark(5, 3.8)
    speaking: Any = ScriptedLeg(name="stand-in.1", mark=5)
    speaking.sent = lambda: whole
    context.calls.add(Call(context, speaking, "ai"))
    came = with_holes(whole, *HOLES)
    listening: Any = ScriptedLeg(mark_heard(0.2, 5), state="disconnected", heard=lambda since: came)
    listening.counted = replace(counted(200, lost), rx_late=late)
    audio_quality.listen_to_whole_call(context, listening)
    assert sum(f.failed for f in context.evidence.findings) == failed


def test_a_voice_with_one_hole_is_listened_to_for_longer(
    make_context: MakeContext, clock: Clock
) -> None:
    context, whole, began = make_context(clock=clock), sounds.mark(5, 5.8), clock.now
    speaking: Any = ScriptedLeg(name="stand-in.1", mark=5)
    speaking.sent = lambda: whole
    context.calls.add(Call(context, speaking, "ai"))
    came = with_holes(whole, *HOLES[1:], (4.0, 4.3))
    listening: Any = ScriptedLeg(
        mark_heard(0.2, 5),
        state="confirmed",
        heard=lambda since: came[: round(8000 * (2.9 + clock.now - began))],
    )
    audio_quality.listen_to_whole_call(context, listening)
    found = [f.actual for f in context.evidence.findings if f.failed]
    assert [actual.partition(",")[0] for actual in found] == ["silences: 3"]


@pytest.mark.parametrize("seed", [0, 2])
def test_music_beneath_words_is_listened_to_for_longer(
    make_context: MakeContext, clock: Clock, seed: int
) -> None:
    """A sound that goes on is not found in words alone (shapes, seed 73, customer 12)."""
    context, words, began = make_context(clock=clock), sounds.mark(5, 5.8), clock.now
    music = hold_music(np.random.default_rng(seed), 10)[: len(words)].astype(float)
    beneath = 0.4 * words.std() / music.std() * music
    came = np.clip(with_holes(words, *PAUSES) + beneath, -32768, 32767).astype(np.int16)
    speaking: Any = ScriptedLeg(name="stand-in.1", mark=5)
    context.calls.add(Call(context, speaking, "ai"))
    listening: Any = ScriptedLeg(
        mark_heard(0.2, 5),
        state="confirmed",
        heard=lambda since: came[: round(8000 * (2.9 + clock.now - began))],
    )
    audio_quality.listen_to_whole_call(context, listening)
    assert [f.check for f in context.evidence.findings if f.failed] == ["audio.beneath"]


# -- A harness phone that stood still neither spoke nor heard


TOLD: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}


def media(at: float, direction: Any = "sendrecv") -> MediaState:
    return MediaState(at=at, active=True, direction=direction, **TOLD)


def counts(*pairs: tuple[float, int]) -> list[Event]:
    """What was offered to the transport by then."""
    return [rtp_statistics(at, tx_offered=offered) for at, offered in pairs]


def leg(*events: Event, counted: RtpStatistics | None = None) -> Any:
    ordered = sorted(events, key=lambda event: event.at)
    return SimpleNamespace(
        id="caller.1",
        mark=OWN,
        events=ordered,
        facts=LegEvents(ordered),
        successor=None,
        statistics=lambda: counted,
    )


STOOD_STILL = counts((10.0, 0), (11.0, 0), (12.5, 0))


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        ([media(9.9), *STOOD_STILL], Verdict.BROKEN),
        (
            [media(9.9), *counts((10.0, 5), (11.0, 5), (12.0, 55), (12.5, 55))],
            Verdict.BROKEN,
        ),  # for 1 s
        ([media(9.9), *counts((10.0, 5), (10.9, 5), (12.0, 55), (12.5, 80))], FAILED),
        (
            [media(9.9), *counts((10.0, 300), (11.0, 2), (12.0, 52))],
            FAILED,
        ),  # another transport, after a re-INVITE
        ([media(9.9, "sendonly"), *STOOD_STILL], FAILED),  # its own hold
        ([*STOOD_STILL], FAILED),
    ],
)
def test_audio_missing_at_a_phone_that_made_no_packet_is_broken(
    make_context: MakeContext, events: list[Event], verdict: Verdict
) -> None:
    context = make_context()
    well = [media(9.9), *counts((10.0, 0), (11.0, 50), (12.5, 125))]
    for name, theirs in (("agent.1", events), ("caller.1", well)):
        for event in theirs:
            context.evidence.event(replace(event, phone=name.partition(".")[0], leg=name))
    nothing = ListenerReport(2.5, None, rx_packets=0)
    asked: Any = {"since": 9.95, "own": (), "least": Strength.PROVED, "names": {}, "towards": "x"}
    for speaker, listener in (("agent.1", "caller.1"), ("caller.1", "agent.1")):
        unheard = audio.direction.of(speaker, listener, None, nothing, **asked)
        assert context.evidence.expect(replace(unheard, at=13.0)).verdict is verdict


# -- A mark has no pauses: an RTP pause between two of one voice's marks is a dropout


def mark(at: float, which: int = 17) -> MarkHeard:
    return MarkHeard(at=at, mark=which, began=at - 0.1, level_dbov=-15.0, quality=1.0, **TOLD)


def pause(began: float, seconds: float = 0.3) -> RtpPaused:
    return RtpPaused(at=began + 1.0, began=began, ended=began + seconds, **TOLD)


STEADY = [mark(9.0 + 0.2 * n) for n in range(20)]


@pytest.mark.parametrize(
    ("events", "dropouts"),
    [
        ([mark(9.8), mark(10.5), pause(10.0)], [(10.0, 10.3)]),
        (
            [mark(9.8, VOICE), mark(10.5, reply_to(17)), pause(10.0)],
            [(10.0, 10.3)],
        ),  # an AI says both by turns
        ([mark(9.8), mark(10.5, 18), pause(10.0)], []),  # another party
        ([mark(10.5), pause(10.0)], []),  # an announcement before it may pause
        (
            [*STEADY, pause(10.0), media(10.5)],
            [],
        ),  # a negotiation may pause the stream (RFC 3264 section 8)
        ([*STEADY, pause(10.0), media(12.0)], [(10.0, 10.3)]),
        (
            [*STEADY, pause(10.0), pause(10.35)],
            [(10.0, 10.65)],
        ),  # one packet in between is no voice
        (
            [*STEADY, pause(10.0, 0.7), pause(10.71, 0.7)],
            [],
        ),  # a second of standstill is no dropout
    ],
)
def test_a_short_pause_within_one_voice_is_a_dropout(
    events: list[Event], dropouts: list[tuple[float, float]]
) -> None:
    found = leg(*events).facts.pauses_in_a_voice()
    assert [(round(one.began, 2), round(one.ended, 2)) for one in found] == dropouts


def during(spans: list[tuple[float, float]]) -> Callable[[float, float], float]:
    """How much of a time lies in these spans."""
    return lambda begin, end: sum(
        max(0.0, min(until, end) - max(since, begin)) for since, until in spans
    )


@pytest.mark.parametrize(
    ("stood_still", "verdict", "dropouts_told"),
    [
        ([], FAILED, 3),
        ([(9.97, 10.3), (11.0, 11.3), (12.1, 12.3)], Verdict.BROKEN, 3),
        ([(11.0, 11.3)], FAILED, 2),  # what is left is the stream's own
        ([(10.0, 10.1), (11.0, 11.1), (12.0, 12.1)], FAILED, 3),  # less than the half of each
    ],
)
def test_dropouts_while_this_machine_had_no_processor_are_not_the_streams(
    make_context: MakeContext,
    stood_still: list[tuple[float, float]],
    verdict: Verdict,
    dropouts_told: int,
) -> None:
    context = make_context()
    busy(context.evidence, starved_s=during(stood_still))
    counters = replace(counted(450, 0), rx_spanned_ms=9000, rx_filled_ms=9000)
    conclusion.look_at_audio(
        context, leg(*STEADY, *map(pause, (10.0, 11.0, 12.0)), counted=counters)
    )
    (found,) = [finding for finding in context.evidence.findings if finding.check == "audio.loss"]
    assert found.verdict is verdict
    assert f"{dropouts_told} dropouts amid a voice" in found.actual


THIN = {"rx_packets": 50, "rx_spanned_ms": 3000, "rx_filled_ms": 1000}
LATE = {"rx_packets": 200, "rx_late": 40}


@pytest.mark.parametrize(
    ("counters", "kept", "seconds", "verdict"),
    [
        (THIN, "starved_s", 0.1, FAILED),
        (THIN, "starved_s", 0.5, Verdict.BROKEN),
        (LATE, "stood_still_s", 0.0, FAILED),
        (LATE, "stood_still_s", 0.7, FAILED),
        (LATE, "stood_still_s", 0.9, Verdict.BROKEN),
        (LATE | {"rx_lost": 20}, "stood_still_s", 0.9, FAILED),
    ],
)
def test_a_thin_or_late_stream_fails_unless_this_machine_kept_it(
    make_context: MakeContext,
    counters: dict[str, Any],
    kept: str,
    seconds: float,
    verdict: Verdict,
) -> None:
    context = make_context()
    busy(context.evidence, **{kept: lambda begin, end: seconds})
    stream = rtp_statistics(**counters)
    conclusion.look_at_audio(context, leg(media(1.0), counted=stream))
    assert [(finding.check, finding.verdict) for finding in context.evidence.findings] == [
        ("audio.loss", verdict)
    ]


@pytest.mark.parametrize(
    ("stood_still", "verdict"),
    [([], FAILED), ([(10.1, 10.4), (11.1, 11.4), (12.1, 12.4)], Verdict.BROKEN)],
)
def test_holes_while_this_machine_had_no_processor_are_not_the_voices(
    make_context: MakeContext, stood_still: list[tuple[float, float]], verdict: Verdict
) -> None:
    context = make_context()
    busy(context.evidence, starved_s=during(stood_still))
    holes = [(at, at + 0.3) for at in (10.1, 11.1, 12.1)]
    expected = audio.holes.of("caller.1", "stand-in.1", [300.0] * 3, 3.8)
    context.evidence.expect(expected, sound_due=[(9.5, 13.3), *holes])
    assert [finding.verdict for finding in context.evidence.findings] == [verdict]
