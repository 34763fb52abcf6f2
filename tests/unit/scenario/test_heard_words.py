"""What a caller hears in words: early media, a machine's greeting, a word before the release, and the AI's goodbye."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.calls.verdict import Verdict
from harness.deployment import Escalation, Synthflow
from harness.scenario.ai_calls import SynthflowCall
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from harness.witness.call_record import CallRecord
from harness.witness.clock import to_wall
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg, states

# -- A machine takes a message: it is heard out, and what it did instead is told


BEEP = (9000 * np.sin(2 * np.pi * 850 * np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE)).astype(np.int16)


@pytest.mark.parametrize(
    ("listens_s", "verdict", "told"),
    [(4.0, Verdict.PASSED, "the tone at"), (1.5, Verdict.FAILED, "and the call was over 3.")],
)
def test_whoever_hangs_up_behind_its_tone_took_no_message(
    make_context: MakeContext, listens_s: float, verdict: Verdict, told: str
) -> None:
    greeting = prompt_samples("goodbye-en").astype(np.int16)
    rest = np.zeros(round(listens_s * SAMPLE_RATE), np.int16)
    audio = np.concatenate([greeting, rest[: SAMPLE_RATE // 2], BEEP, rest])
    now = time.monotonic()
    of = leg(*states("confirmed", "disconnected", began=now, apart_s=9.0))
    of.received_since = lambda since: audio
    context = make_context("VOICEMAIL")
    Expect(context, Call(context, of, "caller")).takes_message()
    found = context.evidence.findings[-1]
    assert (found.check, found.verdict) == ("voicemail", verdict)
    assert told in found.actual


# -- A caller whose transfer finds nobody is told so before the call is over: by a voice, and not by tones or an earlier word


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def ringback(seconds: float) -> NDArray[np.int16]:
    """440 and 480 Hz, 2 s on and 4 s off."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tone = 4000 * (np.sin(2 * np.pi * 440 * at) + np.sin(2 * np.pi * 480 * at))
    return np.where(at % 6.0 < 2.0, tone, 0).astype(np.int16)


WORDS = prompt_samples("goodbye-en").astype(np.int16)


@pytest.mark.parametrize(
    ("heard", "verdict", "told"),
    [
        ([silence(1), WORDS, silence(1)], Verdict.PASSED, "speech until 1."),
        ([silence(1), ringback(8), WORDS], Verdict.PASSED, "speech until 0."),
        ([WORDS, ringback(8)], Verdict.FAILED, "speech until 8."),
        ([ringback(8)], Verdict.FAILED, "no voice spoke: it heard noise, ringback"),
        ([], Verdict.FAILED, "no voice spoke"),
    ],
    ids=["words", "words behind ringback", "on hold", "ringback", "nothing"],
)
def test_a_voice_tells_and_nothing_else(
    make_context: MakeContext, heard: list[NDArray[np.int16]], verdict: Verdict, told: str
) -> None:
    now = time.monotonic()
    of = leg(*states("confirmed", "disconnected", began=now, apart_s=9.0))
    of.received_since = lambda since: np.concatenate([silence(0), *heard])
    context = make_context("TRANSFER-UNAVAILABLE")
    Expect(context, Call(context, of, "caller")).is_told(since=now)
    found = context.evidence.findings[-1]
    assert (found.check, found.verdict) == ("transfer.told", verdict)
    assert told in found.actual


# -- An AI that is asked to hang up says goodbye first: what its caller's leg is held to begins when it hangs up


_SPOKEN_S = 0.3


class Goodbye:
    """The record of a call that the AI ends a while after it was asked to."""

    is_down = False

    def __init__(self, ended: float) -> None:
        self.ended = ended

    def call(self, call_id: str) -> CallRecord:
        is_over = time.monotonic() >= self.ended
        witness = {"released_at": to_wall(self.ended) if is_over else None}
        told = {"status": "completed" if is_over else "in-progress", "phone_number_to": "+12065550100"}
        return CallRecord(call_id, told | {"witness": witness})


def asked_to_hang_up(make_context: MakeContext, *witness: str) -> tuple[CaseContext, SynthflowCall, float, float]:
    """A call whose AI was asked; when it was thought to have hung up, and when it did."""
    api: Any = Goodbye(time.monotonic() + _SPOKEN_S)
    context = make_context(
        api=api,
        synthflow=Synthflow(poll_s=0.001, lag_s=0.0, witness=witness),
        escalation=Escalation(goodbye_digit="9"),
    )
    caller: Any = SimpleNamespace(press=lambda digit: None, began=time.monotonic())
    talk = SynthflowCall(context, api.call("c1"), caller)
    return context, talk, talk.hang_up(), api.ended


def held_to(context: CaseContext, talk: SynthflowCall, after: float, ended: float | None) -> Verdict:
    """What is found of a caller's leg that ended then."""
    leg: Any = SimpleNamespace(
        label="caller.1", lag_s=0.0, doubt_s=0.0, is_blind=False, released_at=lambda deadline: ended
    )
    Expect(context, leg).released(after=after, farewell_s=talk.farewell_s)
    return context.evidence.findings[-1].verdict


def test_where_its_end_is_told_the_caller_is_held_to_that(make_context: MakeContext) -> None:
    context, talk, after, ended = asked_to_hang_up(make_context, "record", "marks")
    assert after == pytest.approx(ended, abs=0.05)
    limit = context.deployment.expect.released_within_s
    assert held_to(context, talk, after, ended + limit - 0.1) is Verdict.PASSED
    assert held_to(context, talk, after, ended + limit + 0.1) is Verdict.FAILED
