"""Closer looks at audio: other voices and levels, phones that sent nothing, pauses, and thin streams."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import reply_to, waveform
from harness.audio.wav import to_int16
from harness.calls.checks.audio import Sound
from harness.calls.checks.claims import Observation
from harness.calls.checks.finding import judged
from harness.calls.events import CallState, Event, Listened, MarkHeard, MediaState, RtpPaused, RtpStatistics
from harness.calls.verdict import Verdict
from harness.deployment import Assistant
from harness.phone.waiter import never_came
from harness.scenario import audio_quality, conclusion
from harness.scenario.ai_calls import StandInCall
from harness.scenario.audio_quality import excuse_mute_phone, longest_mute_s
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.expect_audio import ExpectAudio
from tests.unit.checks.calls import counted
from tests.unit.phone_events import rtp_statistics
from tests.unit.scenario.conftest import MakeContext

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


class Leg:
    """A caller's leg that received ``sounds``, one a look, the last one from then on."""

    direction, successor = "outgoing", None

    def __init__(
        self,
        *sounds: NDArray[np.int16],
        level_dbov: float = -15.0,
        ended_at: float | None = None,
        name: str = "caller.1",
        mark: int = OWN,
    ) -> None:
        self.id, self.mark = name, mark
        self.sounds = list(sounds)
        told: dict[str, Any] = {"phone": "caller", "leg": self.id}
        self.events: list[Any] = [
            CallState(at=1.0, state="confirmed", **told),
            MarkHeard(at=1.2, mark=VOICE, began=1.1, level_dbov=level_dbov, quality=1.0, **told),
        ]
        self.told = told
        self.ended = None if ended_at is None else CallState(at=ended_at, state="disconnected", **told)
        self.events += [self.ended] if self.ended else []

    def received_since(self, since: float) -> NDArray[np.int16]:
        return self.sounds.pop(0) if len(self.sounds) > 1 else self.sounds[0]

    def statistics(self) -> None:
        """Nobody counted."""

    def wait(self, *_: Any, **__: Any) -> CallState:
        if self.ended is None:
            raise never_came("the end", 0.0, self.id, "it never came", "")
        return self.ended


class Lasting(Leg):
    """A leg on which the AI's mark goes on."""

    def wait(self, what: str, *_: Any, **__: Any) -> Any:
        if "marks" not in what:
            return super().wait(what)
        heard = next(e for e in self.events if isinstance(e, MarkHeard))
        return replace(heard, at=time.monotonic())


class Ai:
    """The assistant that the caller talks to."""

    label, role, is_ours = "assistant main", "ai", False

    def voices_for(self, peer: object) -> Collection[int]:
        return {VOICE}

    def answered_at(self) -> float:
        return 1.0

    def hears(self, speaker: object, since: float, deadline: float) -> Sound | None:
        return Sound(since, Observation.MARK, "mark 7")


class Wordy(Ai):
    """One that speaks, and has no mark of its own."""

    def voices_for(self, peer: object) -> Collection[int]:
        return ()


@pytest.fixture
def failed(make_context: MakeContext) -> Callable[[Leg], list[str]]:
    """What a look at a call with the assistant ``main`` finds wrong."""

    def failed(leg: Leg) -> list[str]:
        context = make_context(assistants=ASSISTANTS)
        context.calls.add_ai(cast("Any", SimpleNamespace(assistant="main", legs=())))
        call = Call(context, cast("Any", leg), "caller")
        audio_quality.check_crosstalk(context, call, cast("Any", Ai()))
        return [f"{f.check}: {f.actual}" for f in context.evidence.findings if f.verdict is Verdict.FAILED]

    return failed


@pytest.mark.parametrize(
    ("leg", "wrong"),
    [
        (Leg(sound()), []),
        (Leg(sound(FOREIGN)), ["audio.crossed: it heard mark 99 of another call"]),
        (Leg(sound(FOREIGN), sound()), []),  # heard once only
        (Leg(sound(SALES)), ["audio.crossed: it heard assistant sales"]),
        (Leg(sound(OWN)), ["audio.echo: it heard its own mark, as echo"]),
        (Leg(sound(), level_dbov=-50.0), ["audio.level: at -50 dBov, 35 dB below what was sent"]),
        (Leg(sound(), ended_at=2.0), ["call.up: it ended 1.0 s after it was answered"]),
    ],
)
def test_an_end_hears_its_peer_alone(failed: Callable[[Leg], list[str]], leg: Leg, wrong: list[str]) -> None:
    assert failed(leg) == wrong


@pytest.mark.parametrize(
    ("beneath", "told"),
    [
        (OTHERS, "audio.crossed: it heard caller.2"),
        (reply_to(OTHERS), "audio.crossed: it heard the AI answering caller.2"),
        (reply_to(OWN), None),
    ],
)
def test_another_caller_of_the_case_is_another_call(make_context: MakeContext, beneath: int, told: str | None) -> None:
    context = make_context(assistants=ASSISTANTS)
    context.calls.add_ai(cast("Any", SimpleNamespace(assistant="main", legs=())))
    call = context.calls.add(Call(context, cast("Any", Leg(sound(beneath))), "caller"))
    context.calls.add(Call(context, cast("Any", Leg(sound(), name="caller.2", mark=OTHERS)), "caller"))
    audio_quality.check_crosstalk(context, call, cast("Any", Ai()))
    wrong = [f"{f.check}: {f.actual}" for f in context.evidence.findings if f.verdict is Verdict.FAILED]
    assert wrong == ([told] if told else [])


def leg_of(context: CaseContext, role: str, number: int, mark: int, of: Call | None = None) -> Call:
    """A call of the case; an agent's is ``of`` a caller, and so is one that a harness phone takes in the AI's place."""
    made = cast("Any", Leg(sound(), name=f"{role}.{number}", mark=mark))
    if role == "ai":
        assert of is not None
        taken = StandInCall(context, made, cast("Any", None), context.trunk, "main", of)
        context.calls.add_ai(taken)
        return taken
    return context.calls.add(Call(context, made, role, peer=of))


def test_whoever_one_caller_is_led_to_another_must_not_hear(make_context: MakeContext) -> None:
    """Of one caller's conversation all may hear each other: a briefing, a transfer, a second leg. Of unknown legs nobody knows."""
    context = make_context()
    first, second = leg_of(context, "caller", 1, 1), leg_of(context, "caller", 2, 2)
    ais = [leg_of(context, "ai", 1, 3, first), leg_of(context, "ai", 2, 4, second)]
    agent = leg_of(context, "agent", 1, 5, first)
    unknown = cast("Any", Leg(sound(), name="ai.3", mark=6))
    context.phones._phones["ai"] = cast("Any", SimpleNamespace(legs=[*(ai.leg for ai in ais), unknown]))
    everybody = {1, 2, 3, 4, 5, 6, *map(reply_to, (1, 2))}
    theirs = {2, 4, reply_to(2)}
    assert context.calls.strange(first.leg, everybody) == theirs | {1}
    assert context.calls.strange(agent.leg, everybody) == theirs | {5}
    assert context.calls.strange(ais[0].leg, everybody) == theirs | {3}
    assert context.calls.strange(second.leg, everybody) == {1, 2, 3, 5, reply_to(1)}
    assert context.calls.strange(unknown, everybody) == {6}


def test_a_mark_that_a_later_call_of_a_load_has_again_is_not_the_earlier_one_s(make_context: MakeContext) -> None:
    context = make_context()
    leg_of(context, "caller", 1, 1)
    again = leg_of(context, "caller", 2, 2)
    leg_of(context, "ai", 1, 1, again)
    assert context.calls.strange(again.leg, {1}) == set()


def test_voices_are_absent_only_where_it_is_known_who_took_the_call(make_context: MakeContext) -> None:
    context = make_context(assistants=ASSISTANTS)
    marks: Sequence[int] = (VOICE, SALES)
    call = Call(context, cast("Any", Leg(sound())), "caller")
    assert context.calls.strange(call.leg, marks) == set()
    context.calls.add_ai(cast("Any", SimpleNamespace(assistant="main", legs=())))
    assert context.calls.strange(call.leg, marks) == {SALES}


@pytest.mark.parametrize(
    ("leg", "ai", "told"),
    [
        (Leg(sound()), Ai(), [("assistant main → caller.1", "failed"), ("caller.1 → assistant main", "passed")]),
        (Lasting(sound()), Ai(), [("assistant main → caller.1", "passed"), ("caller.1 → assistant main", "passed")]),
        (Leg(sound()), Wordy(), [("caller.1 → assistant main", "passed")]),
        (Leg(sound(), ended_at=2.0), Ai(), []),
    ],
)
def test_audio_that_has_stopped_is_not_only_the_others(
    make_context: MakeContext, leg: Leg, ai: Ai, told: list[tuple[str, str]]
) -> None:
    context = make_context(assistants=ASSISTANTS)
    context.calls.add_ai(cast("Any", SimpleNamespace(assistant="main", legs=())))
    ExpectAudio(context, Call(context, cast("Any", leg), "caller")).hears_only(cast("Any", ai))
    assert sorted((f.subject, str(f.verdict)) for f in context.evidence.findings if f.check == "audio") == told


@pytest.mark.parametrize(
    ("sounds", "held", "verdict"),
    [
        ([sound()], False, Verdict.PASSED),
        ([sound(OTHERS, db=-6.0)], False, Verdict.FAILED),
        ([sound(OTHERS, db=-20.0)], False, Verdict.FAILED),
        ([sound(FOREIGN, db=-6.0)], False, Verdict.PASSED),  # not what is asked
        ([sound(OTHERS, db=-6.0), sound()], False, Verdict.PASSED),  # what was on its way
        ([sound()[:0]], False, Verdict.PASSED),  # without a recording there is only the ear
        ([sound(OTHERS, db=-6.0)], True, Verdict.PASSED),  # a phone that holds the call takes none of it
    ],
)
def test_who_is_heard_beneath_another_is_not_silent(
    make_context: MakeContext, sounds: list[NDArray[np.int16]], held: bool, verdict: Verdict
) -> None:
    """As an AI that stays in a conference of caller and agent."""
    context, leg = make_context(), Leg(*sounds)
    leg.events.append(Listened(at=time.monotonic() + 60.0, seconds=9.0, level_dbov=-15.0, **leg.told))
    if held:
        leg.events.append(MediaState(at=1.0, active=True, direction="sendonly", **leg.told))
        leg.statistics = lambda: counted(100, 0)  # type: ignore[assignment, method-assign]
    left = cast("Any", SimpleNamespace(label="ai.1", voices_for=lambda peer: {OTHERS}))
    ExpectAudio(context, Call(context, cast("Any", leg), "caller")).silence_from(left)
    assert [(f.check, f.verdict) for f in context.evidence.findings] == [("audio.silent", verdict)]


# -- A harness phone that stood still neither spoke nor heard


TOLD: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}


def media(at: float, direction: Any = "sendrecv", *, active: bool = True) -> MediaState:
    return MediaState(at=at, active=active, direction=direction, **TOLD)


def counts(*pairs: tuple[float, int]) -> list[Event]:
    """What was offered to the transport by then."""
    return [rtp_statistics(at, tx_offered=offered) for at, offered in pairs]


def leg(*events: Event, counted: RtpStatistics | None = None) -> Any:
    ordered = sorted(events, key=lambda event: event.at)
    return SimpleNamespace(id="caller.1", mark=OWN, events=ordered, successor=None, statistics=lambda: counted)


STOOD_STILL = counts((10.0, 0), (11.0, 0), (12.5, 0))


@pytest.mark.parametrize(
    ("events", "mute_s"),
    [
        ([media(9.9), *STOOD_STILL], 2.5),
        ([media(9.9), *counts((10.0, 5), (11.0, 5), (12.0, 55), (12.5, 55))], 1.0),
        ([media(9.9), *counts((10.0, 300), (11.0, 2), (12.0, 52))], 0.0),  # another transport, after a re-INVITE
        ([media(9.9, "sendonly"), *STOOD_STILL], 0.0),  # its own hold
        ([media(9.9), media(11.5, "inactive", active=False), *STOOD_STILL], 1.0),
        ([*STOOD_STILL], 0.0),
    ],
)
def test_a_leg_that_should_send_and_makes_no_packet_is_mute(events: list[Event], mute_s: float) -> None:
    assert longest_mute_s(leg(*events), 9.95) == mute_s


def test_audio_missing_at_a_mute_phone_is_broken(make_context: MakeContext) -> None:
    context = make_context()
    still = Call(context, leg(media(9.9), *STOOD_STILL), "agent")
    well = Call(context, leg(media(9.9), *counts((10.0, 0), (11.0, 50), (12.5, 125))), "caller")
    unheard = judged("audio", "x", False, expected="it is heard", actual="no RTP packet arrived")
    verdicts = [excuse_mute_phone(unheard, ends, 9.95).verdict for ends in ((still, well), (well, still), (well, well))]
    assert verdicts == [Verdict.BROKEN, Verdict.BROKEN, Verdict.FAILED]


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
        ([mark(9.8, VOICE), mark(10.5, reply_to(17)), pause(10.0)], [(10.0, 10.3)]),  # an AI says both by turns
        ([mark(9.8), mark(10.5, 18), pause(10.0)], []),  # another party
        ([mark(10.5), pause(10.0)], []),  # an announcement before it may pause
        ([mark(9.8), mark(11.4), pause(10.0)], []),
        ([*STEADY, pause(10.0), media(10.5)], []),  # a negotiation may pause the stream (RFC 3264 section 8)
        ([*STEADY, pause(10.0), media(12.0)], [(10.0, 10.3)]),
        ([*STEADY, pause(10.0), pause(10.35)], [(10.0, 10.65)]),  # one packet in between is no voice
        ([*STEADY, pause(10.0, 0.7), pause(10.71, 0.7)], []),  # a second of standstill is no dropout
    ],
)
def test_a_short_pause_within_one_voice_is_a_dropout(events: list[Event], dropouts: list[tuple[float, float]]) -> None:
    found = audio_quality.pauses_in_a_voice(leg(*events))
    assert [(round(one.began, 2), round(one.ended, 2)) for one in found] == dropouts


@pytest.mark.parametrize(
    ("stood_still", "verdict", "dropouts_told"),
    [
        ([], Verdict.FAILED, 3),
        ([(9.97, 10.3), (11.0, 11.3), (12.1, 12.3)], Verdict.BROKEN, 3),
        ([(11.0, 11.3)], Verdict.FAILED, 2),  # what is left is the stream's own
        ([(10.0, 10.3), (11.0, 11.3)], Verdict.BROKEN, 3),  # one pause is no broken stream
        ([(10.0, 10.1), (11.0, 11.1), (12.0, 12.1)], Verdict.FAILED, 3),  # less than the half of each
    ],
)
def test_dropouts_while_this_machine_had_no_processor_are_not_the_streams(
    make_context: MakeContext, stood_still: list[tuple[float, float]], verdict: Verdict, dropouts_told: int
) -> None:
    context = make_context()
    context.evidence.starved = lambda begin, end: sum(
        max(0.0, min(until, end) - max(since, begin)) for since, until in stood_still
    )
    counters = replace(counted(450, 0), rx_spanned_ms=9000, rx_filled_ms=9000)
    conclusion.look_at_audio(context, leg(*STEADY, *map(pause, (10.0, 11.0, 12.0)), counted=counters))
    (found,) = [finding for finding in context.evidence.findings if finding.check == "audio.loss"]
    assert found.verdict is verdict
    assert f"{dropouts_told} dropouts amid a voice" in found.actual


@pytest.mark.parametrize(("starved_s", "verdict"), [(0.1, Verdict.FAILED), (0.5, Verdict.BROKEN)])
def test_a_thin_stream_fails_unless_this_machine_was_starved(
    make_context: MakeContext, starved_s: float, verdict: Verdict
) -> None:
    context = make_context()
    context.evidence.starved = lambda begin, end: starved_s
    thin = replace(counted(50, 0), rx_spanned_ms=3000, rx_filled_ms=1000)
    conclusion.look_at_audio(context, leg(media(1.0), counted=thin))
    assert [(finding.check, finding.verdict) for finding in context.evidence.findings] == [("audio.loss", verdict)]
