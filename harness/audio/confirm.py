"""The last stage of mark detection: what was received, correlated with the very waveform of one mark.

The tones of a mark keep fixed phases, so the whole waveform can be asked for, over all its symbols at once. What looks
like a mark to the first stage but is none (music, two marks mixed) has the tones without their phases.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE, waveform

PERIOD: Final = 1280  #: samples of a mark's period at 8 kHz


def confirm(
    received: NDArray[np.float32],
    mark: int,
    phase: float,
    slack: int,
    heard: NDArray[np.float32] | None = None,
) -> tuple[float, float]:
    """How well ``received`` (8 kHz, 160 ms or less) is ``mark``, and at which phase.

    ``phase`` is where in the mark's period the first sample is expected, in samples; ``slack`` is how far off it may be.
    ``heard`` is 1 where the samples count and 0 elsewhere. Returns the normalised correlation at its peak, -1…1, and the
    phase of the peak (0 ≤ phase < 1280, to half a sample).
    """
    if heard is not None:
        received = received * heard
    energy = float(received.dot(received))
    if energy <= 0.0:
        return 0.0, phase
    begin = math.floor(phase) - slack
    offset = begin % PERIOD
    count = len(received) + 2 * slack
    # Half a sample off, the highest tone loses a third of its correlation; so two grids, half a sample apart.
    best, best_phase = -math.inf, phase
    for half, reference in enumerate(_references(mark)):
        scores = np.correlate(reference[offset : offset + count], received, "valid")
        at = int(scores.argmax())
        if scores[at] > best:
            best, best_phase = float(scores[at]), offset + at + half / 2
            matched = reference[offset + at : offset + at + len(received)]
    if heard is not None:
        matched = matched * heard
    return best / math.sqrt(energy * float(matched.dot(matched))), best_phase % PERIOD


@lru_cache(maxsize=256)  # 12 kB each; a hundred calls of one process have two hundred marks
def _references(mark: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Three periods of the mark on the sample grid, and the same half a sample later."""
    fine = np.tile(waveform(mark, 2 * SAMPLE_RATE), 3)
    return np.ascontiguousarray(fine[::2]), np.ascontiguousarray(fine[1::2])
