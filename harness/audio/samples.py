"""Samples: their level, without an inaudible DC offset (in G.711 a stream of zero octets has a large one); another rate."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

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


_ZERO_CROSSINGS = 12  # on each side: flat to 3400 Hz and 60 dB down where it would fold, at 8 kHz


def resample(samples: NDArray[Any], source: int, target: int) -> NDArray[np.int16]:
    """An int16 array at another rate; ``len(samples) * target / source`` samples, rounded down, at the same times."""
    if source == target:
        return samples.astype(np.int16)
    if source < 4000 or target < 4000:
        raise ValueError(f"cannot resample {source} Hz to {target} Hz: 4000 Hz or more")
    shared = math.gcd(source, target)
    up, down = target // shared, source // shared
    bank = _bank(up, down)
    taps = bank.shape[1]
    silence = np.zeros(taps, np.float32)  # around it; the filter's delay is taken out
    padded = np.concatenate([silence[: taps // 2 - 1], samples.astype(np.float32), silence])
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps)
    out = np.empty(len(samples) * target // source, np.float32)
    # Every up-th output has the same phase, and its windows lie `down` samples apart.
    for first in range(min(up, len(out))):
        at, phase = divmod(down * first, up)
        out[first::up] = windows[at::down][: len(out[first::up])] @ bank[phase]
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


@lru_cache(maxsize=16)
def _bank(up: int, down: int) -> NDArray[np.float32]:
    """(up, taps): for each position between two input samples the filter that gives the output there."""
    cutoff = min(1.0, up / down) * 0.94
    reach = math.ceil(_ZERO_CROSSINGS / min(1.0, up / down))
    offsets = np.arange(-reach + 1, reach + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.cos(0.5 * np.pi * np.clip(offsets / reach, -1, 1)) ** 2
    bank = cutoff * np.sinc(cutoff * offsets) * window
    normalised: NDArray[np.float32] = (bank / bank.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
