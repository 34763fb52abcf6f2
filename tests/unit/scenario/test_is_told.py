"""A caller whose transfer finds nobody is told so before the call is over: by a voice, and not by tones or an earlier word."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.calls.events import CallState
from harness.calls.verdict import Verdict
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, leg


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
        ([WORDS, silence(5)], Verdict.FAILED, "speech until 5."),
        ([WORDS, ringback(8)], Verdict.FAILED, "speech until 8."),
        ([ringback(8)], Verdict.FAILED, "no voice spoke: it heard noise, ringback"),
        ([silence(6)], Verdict.FAILED, "no voice spoke: it heard silence"),
        ([], Verdict.FAILED, "no voice spoke"),
    ],
    ids=["words", "words behind ringback", "words long before", "on hold", "ringback", "silence", "nothing"],
)
def test_a_voice_tells_and_nothing_else(
    make_context: MakeContext, heard: list[NDArray[np.int16]], verdict: Verdict, told: str
) -> None:
    now = time.monotonic()
    states = [CallState(at=now, state="confirmed", **TOLD), CallState(at=now + 9.0, state="disconnected", **TOLD)]
    of: Any = leg([*states])
    of.received_since = lambda since: np.concatenate([silence(0), *heard])
    context = make_context("TRANSFER-UNAVAILABLE")
    Expect(context, Call(context, of, "caller")).is_told(since=now)
    found = context.evidence.findings[-1]
    assert (found.check, found.verdict) == ("transfer.told", verdict)
    assert told in found.actual
