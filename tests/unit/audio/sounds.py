"""Sounds the audio tests share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import waveform
from harness.audio.wav import to_int16

Samples = NDArray[np.int16]


def mark(
    number: int, seconds: float, *, rate: int = 8000, level_dbov: float = -15.0, skip: int = 0
) -> Samples:
    """A mark as a leg sends it, joined ``skip`` samples after its beginning."""
    period = waveform(number, rate, level_dbov)
    return to_int16(np.resize(np.roll(period, -skip), round(seconds * rate)))


def silence(seconds: float, rate: int = 8000) -> Samples:
    return np.zeros(round(seconds * rate), np.int16)


def noise(seconds: float, level_dbov: float, seed: int = 1) -> Samples:
    draw = np.random.default_rng(seed)
    return to_int16(draw.normal(0, 10 ** (level_dbov / 20), round(seconds * 8000)))


def join(*parts: Samples) -> Samples:
    return np.concatenate(parts)


def mix(*parts: Samples) -> Samples:
    length = max(len(part) for part in parts)
    total = np.zeros(length, np.int64)
    for part in parts:
        total[: len(part)] += part
    return np.clip(total, -32768, 32767).astype(np.int16)
