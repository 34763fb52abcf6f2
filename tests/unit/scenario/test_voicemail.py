"""A machine takes a message: it is heard out, and what it did instead is named."""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.calls.verdict import Verdict
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg, states

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
