from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio.samples import resample
from harness.audio.wav import to_int16

RATES = st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000])


@settings(max_examples=20)
@given(RATES, RATES, st.floats(200, 3000))
def test_a_tone_keeps_its_frequency_level_and_time(source: int, target: int, hertz: float) -> None:
    tone = [
        np.sin(2 * np.pi * hertz * np.arange(rate // 2) / rate) * 0.5 for rate in (source, target)
    ]
    converted = resample(to_int16(tone[0]), source, target)
    assert len(converted) == source // 2 * target // source
    inner = slice(target // 50, len(converted) - target // 50)
    error = converted[inner] / 32768 - tone[1][inner]
    assert np.sqrt(np.mean(error**2)) < 0.01


def test_nothing_folds_down() -> None:
    high = to_int16(0.5 * np.sin(2 * np.pi * 5500 * np.arange(48000) / 48000))
    assert np.abs(resample(high, 48000, 8000)[100:-100]).max() < 40


def test_absurd_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot resample"):
        resample(np.zeros(9, np.int16), 1000, 8000)
