"""Music as samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE

Audio = NDArray[np.int16]


def music(seconds: float) -> Audio:
    """Four notes at once, struck twice a second."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * at) for hertz in (523.25, 659.26, 783.99, 1046.5))
    return np.asarray(1000 * chord * np.exp(-2 * (at % 0.5)), np.int16)
