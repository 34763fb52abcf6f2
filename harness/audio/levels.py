"""The level of 8 kHz audio without its DC offset, which is inaudible; in G.711 a stream of zero octets has a large one."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FRAME: Final = 160
SILENCE_DBOV: Final = -96.0  #: the level that stands for digital silence


def levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """The level of each whole 20 ms of 8 kHz samples in dBov, :data:`SILENCE_DBOV` for digital silence."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.var(frames, axis=1, dtype=np.float64) / 32768.0**2
    dbov: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DBOV / 10)))
    return dbov


def mean_level(samples: NDArray[np.int16]) -> float:
    """The level of all samples together in dBov."""
    if not len(samples):
        return SILENCE_DBOV
    power = float(np.var(samples, dtype=np.float64)) / 32768.0**2
    return max(SILENCE_DBOV, 10 * math.log10(power)) if power > 0 else SILENCE_DBOV
