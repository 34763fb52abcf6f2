from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audio.classify import classify
from harness.audio.g711 import decode_alaw, decode_ulaw
from harness.audio.samples import levels, mean_level

from .sounds import noise, silence


def test_levels() -> None:
    assert levels(np.tile(np.array([-32768, 32767], np.int16), 160)).tolist() == pytest.approx(
        [0.0, 0.0], abs=0.01
    )
    assert levels(silence(0.04)).tolist() == [-96.0, -96.0]
    assert mean_level(np.zeros(0, np.int16)) == -96.0
    assert mean_level(noise(2.0, -30)) == pytest.approx(-30, abs=0.2)


@given(st.integers(0, 255), st.sampled_from([decode_ulaw, decode_alaw]))
def test_one_octet_again_and_again_is_silence(
    octet: int, decode: Callable[[bytes], NDArray[np.int16]]
) -> None:
    """Zeros in RTP are the largest number that PCMU has: nobody hears it."""
    heard = decode(bytes([octet]) * 8000)
    assert set(levels(heard)) == {-96.0}
    assert mean_level(heard) == -96.0
    assert {span.kind for span in classify(heard)} == {"silence"}
