from __future__ import annotations

import numpy as np
import pytest

from harness.audio.levels import levels, mean_level

from .sounds import noise, silence


def test_levels() -> None:
    assert levels(np.full(320, -32768, np.int16)).tolist() == pytest.approx([0.0, 0.0])
    assert levels(silence(0.04)).tolist() == [-96.0, -96.0]
    assert mean_level(np.zeros(0, np.int16)) == -96.0
    assert mean_level(noise(2.0, -30)) == pytest.approx(-30, abs=0.2)
