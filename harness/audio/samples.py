"""Samples: their level, without an inaudible DC offset (in G.711 a stream of zero octets has a
large one); another rate.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

_FRAME: Final = 160
SILENCE_DBOV: Final = -96.0  #: the level that stands for digital silence


def levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """The level of each whole 20 ms of 8 kHz samples in dBov, :data:`SILENCE_DBOV` for digital
    silence.
    """
    whole = len(samples) // _FRAME * _FRAME
    frames = samples[:whole].reshape(-1, _FRAME)
    power = np.var(frames, axis=1, dtype=np.float64) / 32768.0**2
    least = 10 ** (SILENCE_DBOV / 10)
    dbov: NDArray[np.float64] = 10 * np.log10(np.maximum(power, least))
    return dbov


def mean_level(samples: NDArray[np.int16]) -> float:
    """The level of all samples together in dBov."""
    if not len(samples):
        return SILENCE_DBOV
    power = float(np.var(samples, dtype=np.float64)) / 32768.0**2
    return max(SILENCE_DBOV, 10 * math.log10(power)) if power > 0 else SILENCE_DBOV


def resample(samples: NDArray[Any], source: int, target: int) -> NDArray[np.int16]:
    """An int16 array at another rate; ``len(samples) * target / source`` samples, rounded down, at
    the same times.
    """
    if source == target:
        return samples.astype(np.int16)
    if source < 4000 or target < 4000:
        raise ValueError(f"cannot resample {source} Hz to {target} Hz: 4000 Hz or more")
    length = len(samples) * target // source
    out = np.zeros(length, np.int16)
    converted: NDArray[np.int16] = soxr.resample(samples.astype(np.int16), source, target)[:length]
    out[: len(converted)] = converted
    return out
