from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio.resample import Resampler, resample
from harness.audio.wav import to_int16

RATES = st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000])
OTHER_RATES = st.sampled_from([11025, 16000, 22050, 44100, 48000])


@settings(max_examples=20)
@given(RATES, RATES, st.floats(200, 3000))
def test_a_tone_keeps_its_frequency_level_and_time(source: int, target: int, hertz: float) -> None:
    tone = [np.sin(2 * np.pi * hertz * np.arange(rate // 2) / rate) * 0.5 for rate in (source, target)]
    converted = resample(to_int16(tone[0]), source, target)
    assert len(converted) == source // 2 * target // source
    inner = slice(target // 50, len(converted) - target // 50)
    error = converted[inner] / 32768 - tone[1][inner]
    assert np.sqrt(np.mean(error**2)) < 0.01


@settings(max_examples=12)
@given(OTHER_RATES, st.lists(st.integers(40, 900), min_size=1, max_size=6))
def test_pieces_give_the_same_as_the_whole(source: int, sizes: list[int]) -> None:
    samples = to_int16(np.random.default_rng(1).normal(0, 0.2, 4000))
    whole = resample(samples, source, 8000)
    resampler = Resampler(source, 8000)
    parts, at, turn = [], 0, 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        parts.append(resampler.feed(samples[at : at + size]))
        at, turn = at + size, turn + 1
    pieces = np.concatenate(parts)
    assert len(pieces) >= len(whole) - 40
    assert np.max(np.abs(pieces[: len(whole)].astype(int) - whole[: len(pieces)])) <= 1


def test_nothing_folds_down() -> None:
    high = to_int16(0.5 * np.sin(2 * np.pi * 5500 * np.arange(48000) / 48000))
    assert np.abs(resample(high, 48000, 8000)[100:-100]).max() < 40


def test_absurd_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot resample"):
        Resampler(1000, 8000)
