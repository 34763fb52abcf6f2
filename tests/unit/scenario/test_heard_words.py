"""What a caller hears in words: a machine's greeting, and a word before the release."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.calls.verdict import Verdict
from harness.scenario.call import Call
from harness.scenario.expect import Expect
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
