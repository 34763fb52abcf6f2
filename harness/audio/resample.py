"""Sample-rate conversion by a polyphase windowed sinc, for whole arrays and for streams."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ZERO_CROSSINGS = 12  # on each side: flat to 3400 Hz and 60 dB down where it would fold, at 8 kHz


class Resampler:
    """Converts a stream of mono int16 samples; its delay (some 2 ms) is taken out, so times stay the stream's."""

    def __init__(self, source: int, target: int) -> None:
        if source < 4000 or target < 4000:
            raise ValueError(f"cannot resample {source} Hz to {target} Hz: 4000 Hz or more")
        shared = math.gcd(source, target)
        self._up, self._down = target // shared, source // shared
        self._bank = _bank(self._up, self._down)
        self._reach = self._bank.shape[1] // 2
        self._pending = np.zeros(self._reach - 1, np.float32)  # silence before the first sample
        self._position = 0  # of the next output sample, in steps of 1/up input samples, from the pending samples' first

    def feed(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Convert some more samples; the output runs behind the input by the filter's reach."""
        self._pending = np.concatenate([self._pending, samples.astype(np.float32)])
        taps = self._bank.shape[1]
        room = len(self._pending) - taps
        count = max(0, (room * self._up + self._up - 1 - self._position) // self._down + 1) if room >= 0 else 0
        out = np.empty(count, np.float32)
        if count > 0:
            windows = np.lib.stride_tricks.sliding_window_view(self._pending, taps)
            # Every up-th output has the same phase, and its windows lie `down` samples apart.
            for first in range(min(self._up, count)):
                at, phase = divmod(self._position + self._down * first, self._up)
                wanted = windows[at :: self._down][: len(out[first :: self._up])]
                out[first :: self._up] = wanted @ self._bank[phase]
        used = (self._position + self._down * count) // self._up
        self._pending = self._pending[used:]
        self._position += self._down * count - used * self._up
        return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


def resample(samples: NDArray[Any], source: int, target: int) -> NDArray[np.int16]:
    """A whole int16 array at another rate; ``len(samples) * target / source`` samples, rounded down."""
    if source == target:
        return samples.astype(np.int16)
    resampler = Resampler(source, target)
    out = resampler.feed(np.concatenate([samples.astype(np.int16), np.zeros(4096, np.int16)]))
    return out[: len(samples) * target // source]


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
