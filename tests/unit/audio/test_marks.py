from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.audio import marks
from harness.audio.marks import REPLY_OFFSET, replied, reply_to, wav, waveform
from tools.accuracy import mark_words


def test_the_frozen_table_is_what_its_script_makes() -> None:
    assert (
        Path(marks.__file__).with_name("mark_words.txt").read_text("utf-8") == mark_words.source()
    )


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_a_period_is_160_ms_at_its_level_and_loops(rate: int) -> None:
    period = waveform(5, rate, -20.0)
    assert period.dtype == np.float32
    assert len(period) == round(0.16 * rate)
    assert 10 * np.log10(np.mean(period.astype(float) ** 2)) == pytest.approx(-20.0, abs=0.01)
    steps = np.abs(np.diff(np.tile(period, 2)))
    assert steps[len(period) - 1] <= steps.max() / 2  # the seam is softer than the tone itself


def test_replies_name_their_mark() -> None:
    assert reply_to(7) == 7 + REPLY_OFFSET
    assert replied(reply_to(0)) == 0
    assert replied(255) is None
    with pytest.raises(ValueError, match="names no leg"):
        reply_to(256)


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        waveform(512)
    with pytest.raises(ValueError, match="cannot be made"):
        waveform(0, 4000)


def test_a_wav_file_loops_without_a_seam() -> None:
    info = soundfile.info(io.BytesIO(wav(3, 1.0)))
    assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
    assert info.frames % 1280 == 0
    assert info.frames >= 8000
