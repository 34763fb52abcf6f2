"""A live AI's voice has the limits of a stand-in's: its first words, clipping, delay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.case.events import Event
from harness.case.legs import LegEvents
from harness.case.verdict import Verdict
from harness.scenario.evidence import Evidence
from harness.scenario.live_audio import quality
from harness.scenario.signs import LISTEN_S
from tests.unit.audio.sounds import Samples, join, noise, silence
from tests.unit.phone_events import rtp_statistics
from tests.unit.scenario.conftest import MakeContext, busy

WORDS = prompt_samples("how-can-i-help-en")
FAILED, PASSED, BROKEN = Verdict.FAILED, Verdict.PASSED, Verdict.BROKEN


@pytest.fixture
def evidence(make_context: MakeContext) -> Evidence:
    return make_context().evidence


def found(
    evidence: Evidence,
    audio: Samples,
    *events: Event,
    greeted_at: float | None = None,
    again: bool = False,
) -> dict[str, Verdict]:
    """The verdicts on what was heard from the answer, at 10 s, until 20 s."""
    leg: Any = SimpleNamespace(
        id="caller.1", facts=LegEvents(events), received_since=lambda since: audio
    )
    look: Any = SimpleNamespace(leg=leg, talk=SimpleNamespace(label="assistant main"), since=10.0)
    look.until, look.greeted_at, look.again, look.silent_s = 20.0, greeted_at, again, LISTEN_S
    findings = filter(None, map(evidence.expect_if, quality(look)))
    return {finding.check: finding.verdict for finding in findings}


@pytest.mark.parametrize(
    ("silent_s", "greeted_at", "starved_s", "verdict"),
    [
        (2.0, None, 0.0, PASSED),
        (4.0, None, 0.0, FAILED),
        (4.0, 15.0, 0.0, FAILED),  # the caller was still speaking
        (4.0, 13.5, 0.0, None),  # an answer: some AIs wait to be spoken to
        (4.0, None, 1.0, BROKEN),
    ],
)
def test_ai_that_is_silent_at_first_fails(
    evidence: Evidence,
    silent_s: float,
    greeted_at: float | None,
    starved_s: float,
    verdict: Verdict | None,
) -> None:
    audio = join(noise(silent_s, -55.0), WORDS, silence(1.0))
    busy(
        evidence,
        starved_at_once_s=lambda begin, end: starved_s if (begin, end) == (10.0, 14.0) else 0.0,
    )
    verdicts = found(evidence, audio, greeted_at=greeted_at)
    assert verdicts.get("audio.first") is verdict
    assert "audio.first" not in found(evidence, audio, again=True)


@pytest.mark.parametrize(("gain", "verdict"), [(1.0, PASSED), (20.0, FAILED)])
def test_ai_whose_voice_is_clipped_fails(evidence: Evidence, gain: float, verdict: Verdict) -> None:
    loud = np.clip(gain * WORDS.astype(float), -32768, 32767).astype(np.int16)
    verdicts = found(evidence, join(silence(0.5), loud, silence(1.0)))
    assert verdicts.get("audio.level") is verdict


@pytest.mark.parametrize(
    ("rtts_ms", "verdict"),
    [
        ((), None),
        ((0.0,), None),
        ((780.0,), PASSED),
        ((1800.0, 1790.0), FAILED),
        ((900.0, 90.0), PASSED),
    ],
)
def test_ai_that_is_heard_too_late_by_rtcp_fails(
    evidence: Evidence, rtts_ms: tuple[float, ...], verdict: Verdict | None
) -> None:
    events = [rtp_statistics(12.0 + n, "caller.1", rtt_ms=ms) for n, ms in enumerate(rtts_ms)]
    assert found(evidence, WORDS, *events).get("audio.delay") is verdict
