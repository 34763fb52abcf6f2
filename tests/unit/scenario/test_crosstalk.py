"""A deeper look at what is heard beneath the strongest voice, and at its level."""

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
from harness.calls.events import CallState, Listened, MarkHeard, MediaState
from harness.calls.verdict import Verdict
from harness.deployment import Assistant
from harness.phone.waiter import never_came
from harness.scenario import audio_quality, conclusion
from harness.scenario.ai_calls import StandInCall
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.expect_audio import ExpectAudio
from tests.unit.checks.calls import counted
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


def test_a_clear_voice_is_all_that_is_heard(failed: Callable[[Leg], list[str]]) -> None:
    assert failed(Leg(sound())) == []


@pytest.mark.parametrize(
    ("beneath", "told"),
    [
        (FOREIGN, "audio.crossed: it heard mark 99 of another call"),
        (SALES, "audio.crossed: it heard assistant sales"),
        (OWN, "audio.echo: it heard its own mark, as echo"),
    ],
)
def test_what_sounds_beneath_the_right_voice_is_found(
    failed: Callable[[Leg], list[str]], beneath: int, told: str
) -> None:
    assert failed(Leg(sound(beneath))) == [told]


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
    """A call of the case; an agent's is ``of`` a caller, and so is one that a phone of ours takes in the AI's place."""
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


@pytest.mark.parametrize(("marks", "verdict"), [([3], Verdict.PASSED), ([3, 4, 2, reply_to(2)], Verdict.FAILED)])
def test_the_last_look_hears_another_caller_by_turns(
    make_context: MakeContext, marks: list[int], verdict: Verdict
) -> None:
    context = make_context()
    first, second = leg_of(context, "caller", 1, 1), leg_of(context, "caller", 2, 2)
    leg_of(context, "ai", 1, 3, first)
    leg_of(context, "ai", 2, 4, second)
    told: dict[str, Any] = {"phone": "caller", "leg": "caller.1", "level_dbov": -15.0, "quality": 1.0}
    first.leg.events[1:] = [
        MarkHeard(at=1.0 + n, mark=mark, began=1.0, **told) for n, mark in enumerate(np.repeat(marks, 2))
    ]
    conclusion._no_crossing(context, first.leg)
    assert [(f.check, f.verdict) for f in context.evidence.findings] == [("audio.crossed", verdict)]


def test_what_is_heard_once_only_is_nobody_s_voice(failed: Callable[[Leg], list[str]]) -> None:
    assert failed(Leg(sound(FOREIGN), sound())) == []


@pytest.mark.parametrize(("level", "words"), [(-50.0, "35 dB below"), (-2.0, "13 dB above")])
def test_a_voice_much_quieter_or_louder_than_sent(failed: Callable[[Leg], list[str]], level: float, words: str) -> None:
    (told,) = failed(Leg(sound(), level_dbov=level))
    assert told.startswith("audio.level: ")
    assert words in told


def test_a_call_that_has_ended_by_itself_is_not_up(failed: Callable[[Leg], list[str]]) -> None:
    assert failed(Leg(sound(), ended_at=2.0)) == ["call.up: it ended 1.0 s after it was answered"]


def test_voices_are_absent_only_where_it_is_known_who_took_the_call(make_context: MakeContext) -> None:
    context = make_context(assistants=ASSISTANTS)
    marks: Sequence[int] = (VOICE, SALES)
    call = Call(context, cast("Any", Leg(sound())), "caller")
    assert context.calls.strange(call.leg, marks) == set()
    context.calls.add_ai(cast("Any", SimpleNamespace(assistant="main", legs=())))
    assert context.calls.strange(call.leg, marks) == {SALES}


def test_whose_an_assistants_voice_is_not_every_deployment_tells(make_context: MakeContext) -> None:
    context = make_context(assistants={"main": ASSISTANTS["main"].model_copy(update={"voice": None})})
    call = Call(context, cast("Any", Leg(sound())), "caller")
    assert context.calls.strange(call.leg, (VOICE, SALES, FOREIGN)) == {FOREIGN}


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
