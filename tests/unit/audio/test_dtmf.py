from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.dtmf import DIGITS, DtmfDetector, digits_in, dtmf
from harness.audio.wav import to_int16

from .sounds import join, mix, noise, silence


@given(
    st.text(DIGITS, min_size=1, max_size=6),
    st.floats(0.04, 0.3),
    st.floats(0.04, 0.3),
    st.floats(-35, -6),
    st.integers(0, 400),
)
def test_digits_in_order_with_their_durations(
    text: str, tone: float, pause: float, level: float, offset: int
) -> None:
    audio = join(
        np.zeros(offset, np.int16),
        to_int16(dtmf(text, tone=tone, pause=pause, level_dbov=level)),
        silence(0.2),
    )
    digits = digits_in(mix(audio, noise(len(audio) / 8000, level - 25)))
    assert "".join(digit.digit for digit in digits) == text
    assert digits[0].began == pytest.approx(offset / 8000, abs=0.02)
    for digit in digits:
        assert digit.duration == pytest.approx(tone, abs=0.025)


def test_frames_give_the_same_as_the_whole() -> None:
    audio = join(to_int16(dtmf("19*#A", tone=0.08, pause=0.06)), silence(0.3))
    detector = DtmfDetector()
    assert [
        digit
        for frame in audio[: len(audio) // 160 * 160].reshape(-1, 160)
        for digit in detector.feed(frame)
    ] == (digits_in(audio))


def test_too_short_is_no_digit() -> None:
    assert digits_in(join(silence(0.1), to_int16(dtmf("5", tone=0.02)), silence(0.1))) == []


def test_a_tone_off_its_place_is_refused() -> None:
    time = np.arange(1600) / 8000
    for share, wanted in ((1.01, "5"), (1.035, "")):
        pair = 0.2 * (
            np.sin(2 * np.pi * 770 * share * time) + np.sin(2 * np.pi * 1336 * share * time)
        )
        assert "".join(digit.digit for digit in digits_in(to_int16(pair))) == wanted


def test_what_is_no_digit_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no DTMF digit"):
        dtmf("x")
