"""A machine that takes a call is heard out, and what it did instead is named."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.case.verdict import ExpectationError, Verdict
from harness.deployment import Group
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from harness.scenario.people import Group as GroupOf
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg, states

BEEP = (9000 * np.sin(2 * np.pi * 850 * np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE)).astype(np.int16)


SILENCE = np.zeros(SAMPLE_RATE, np.int16)
VOICEMAIL, ANNOUNCEMENT = Group(empty=True, voicemail=True), Group(empty=True, announcement=True)


@pytest.mark.parametrize(
    ("group", "speaks", "then", "listens_s", "verdict", "told"),
    [
        (VOICEMAIL, True, BEEP, 4.0, Verdict.PASSED, "the tone at"),
        (VOICEMAIL, True, BEEP, 1.5, Verdict.FAILED, "and the call was over 3."),
        (VOICEMAIL, True, SILENCE, 4.0, Verdict.FAILED, "it heard"),
        (ANNOUNCEMENT, True, SILENCE, 1.0, Verdict.PASSED, "after the answer"),
        (ANNOUNCEMENT, False, BEEP, 1.0, Verdict.FAILED, "it heard"),
        (ANNOUNCEMENT, False, SILENCE, 1.0, Verdict.FAILED, "it heard"),
    ],
)
def test_a_machine_speaks_and_voicemail_also_takes_a_message(
    make_context: MakeContext,
    group: Group,
    speaks: bool,
    then: Any,
    listens_s: float,
    verdict: Verdict,
    told: str,
) -> None:
    greeting = prompt_samples("goodbye-en").astype(np.int16) if speaks else SILENCE
    rest = np.zeros(round(listens_s * SAMPLE_RATE), np.int16)
    audio = np.concatenate([greeting, rest[: SAMPLE_RATE // 2], then, rest])
    now = time.monotonic()
    of = leg(*states("confirmed", "disconnected", began=now, apart_s=9.0))
    of.received_since = lambda since: audio
    context = make_context("VOICEMAIL")
    call = Call(context, of, "caller")
    machine = GroupOf(context, "night", group, []).expect_call(call)
    Expect(context, call).two_way_audio_with(machine)
    found = context.evidence.findings[-1]
    assert (found.check, found.verdict) == ("voicemail", verdict)
    assert told in found.actual


def test_a_call_that_no_machine_answers_did_not_land(make_context: MakeContext) -> None:
    context = make_context("TD-FALLBACK-REFUSED")
    call = Call(context, leg(*states("early", "disconnected", began=time.monotonic())), "caller")
    with pytest.raises(ExpectationError, match="it landed nowhere"):
        GroupOf(context, "night", VOICEMAIL, []).expect_call(call)
