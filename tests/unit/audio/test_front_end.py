"""Each window's strongest pair of tones, held to the definition: windows by Hann, and each tone's correlation with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audio.front_end import HOP, WINDOW, TonePairs, unpacked

from .sounds import mark, mix, noise

LOW, HIGH = (480.0, 590.0, 700.0), (1555.0, 1775.0, 1995.0, 2215.0)
SHARE, TWIST_DB, DBOV, TOLERANCE_HZ = 0.45, 18.0, -53.0, 14.0
TONES = TonePairs(
    LOW,
    HIGH,
    min_share=SHARE,
    max_twist_db=TWIST_DB,
    min_dbov=DBOV,
    tolerance_hz=(TOLERANCE_HZ,) * (len(LOW) + len(HIGH)),
)
_HANN = np.hanning(WINDOW + 2)[1:-1]
_ENERGY = float(np.sum(_HANN**2))


class Window(NamedTuple):
    low: int
    high: int
    share: float
    power: float
    #: How far it is from standing out, at the nearest of its limits: above 1 it does.
    distance: float
    spectrum: NDArray[np.complex128]


def window(samples: NDArray[np.float64]) -> Window:
    angles = 2 * np.pi * np.outer(np.array(LOW + HIGH), np.arange(WINDOW)) / 8000
    spectrum = np.exp(-1j * angles) @ (_HANN * samples) * np.sqrt(2 * _ENERGY) / np.sum(_HANN)
    powers, energy = np.abs(spectrum) ** 2, float(np.sum((_HANN * samples) ** 2))
    low, high = int(powers[: len(LOW)].argmax()), int(powers[len(LOW) :].argmax())
    one, other = powers[low], powers[len(LOW) + high]
    distance = min(
        (one + other) / (SHARE * energy),
        energy / (_ENERGY * (32768 * 10 ** (DBOV / 20)) ** 2),
        10 ** (TWIST_DB / 10) * min(one, other) / max(one, other),
    )
    return Window(low, high, (one + other) / energy, (one + other) / _ENERGY, distance, spectrum)


def off_hz(before: Window, now: Window, tone: int) -> float:
    """How far a tone is from its place, by what its phase turned in a hop."""
    frequency = (LOW + HIGH)[tone]
    turned = now.spectrum[tone] * np.conj(before.spectrum[tone]) * np.exp(-2j * np.pi * frequency * HOP / 8000)
    return abs(float(np.angle(turned))) * 8000 / (2 * np.pi * HOP)


@given(st.integers(0, 2**32 - 1), st.integers(0, 511), st.floats(-60, 0), st.integers(0, 1279))
def test_each_window_has_the_pair_that_its_correlations_say(seed: int, number: int, level: float, skip: int) -> None:
    audio = mix(mark(number, 0.2, skip=skip), noise(0.2, level, seed))
    blocks = audio.reshape(-1, HOP).astype(np.float32)
    before, *windows = (window(audio[at : at + WINDOW].astype(float)) for at in range(0, len(audio) - HOP, HOP))
    hops = list(unpacked(TONES.analyse(blocks)))
    assert len(hops) == len(windows) == len(blocks) - 2
    for now, (symbol, agrees, share, power) in zip(windows, hops, strict=True):
        assert share == pytest.approx(now.share, rel=1e-3)
        assert power == pytest.approx(now.power, rel=1e-3)
        if abs(now.distance - 1) > 0.01 and abs(before.distance - 1) > 0.01:
            pair = now.low * len(HIGH) + now.high
            assert symbol == (pair if now.distance > 1 else -1)
            same = now.distance > 1 and before.distance > 1 and (now.low, now.high) == (before.low, before.high)
            off = max(off_hz(before, now, now.low), off_hz(before, now, len(LOW) + now.high))
            if abs(off - TOLERANCE_HZ) > 0.1:
                assert agrees == (same and off < TOLERANCE_HZ)
        before = now
