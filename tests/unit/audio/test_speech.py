from __future__ import annotations

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.audio.speech import SpeechDetector, Stretch, barge_in_ms, levels, mean_level, reaction_ms, speech_in

from .sounds import join, mix, noise, silence


def test_words_between_silences() -> None:
    prompt = prompt_samples("agent-please-en")
    (stretch,) = speech_in(join(silence(1.0), prompt, silence(1.0)))
    assert stretch.began == pytest.approx(1.0, abs=0.05)
    assert stretch.ended == pytest.approx(1.0 + len(prompt) / 8000, abs=0.1)


def test_words_over_noise() -> None:
    audio = join(silence(2.0), prompt_samples("hello-en"), silence(2.0))
    stretches = speech_in(mix(audio, noise(len(audio) / 8000, -45)))
    assert stretches[0].began == pytest.approx(2.0, abs=0.15)
    assert stretches[-1].ended == pytest.approx(2.0 + len(prompt_samples("hello-en")) / 8000, abs=0.3)


def test_steady_noise_and_clicks_are_nobody_speaking() -> None:
    clicks = np.zeros(16000, np.int16)
    clicks[::4000] = 20000
    assert speech_in(clicks) == []
    assert sum(s.ended - s.began for s in speech_in(noise(10.0, -60))) == 0


def test_pieces_do_not_matter_and_the_end_cuts_off() -> None:
    audio = join(silence(0.5), prompt_samples("goodbye-en"))
    detector = SpeechDetector()
    ended = [stretch for at in range(0, len(audio), 123) for stretch in detector.feed(audio[at : at + 123])]
    assert detector.speaking is not None
    assert ended + detector.finish() == speech_in(audio)
    assert detector.speaking is None


def test_reaction_and_barge_in() -> None:
    stretches = [Stretch(1.0, 2.0), Stretch(3.5, 5.0)]
    assert reaction_ms(3.0, stretches) == pytest.approx(500)
    assert reaction_ms(1.8, stretches) == pytest.approx(-800)
    assert reaction_ms(6.0, stretches) is None
    assert barge_in_ms(4.2, stretches) == pytest.approx(800)
    assert barge_in_ms(2.5, stretches) is None


def test_levels() -> None:
    assert levels(np.full(320, -32768, np.int16)).tolist() == pytest.approx([0.0, 0.0])
    assert levels(silence(0.04)).tolist() == [-96.0, -96.0]
    assert mean_level(np.zeros(0, np.int16)) == -96.0
    assert mean_level(noise(2.0, -30)) == pytest.approx(-30, abs=0.2)
