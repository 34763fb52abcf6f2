from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from harness.audio.marks import MARKS, REPLY_OFFSET, replied, reply_to, wav, waveform


def test_two_words_share_three_tones_of_eight_at_most_however_turned() -> None:
    """So three symbols name a mark; a word that was turned is another mark's as little."""
    words = np.array(MARKS).reshape(len(MARKS), 8)
    assert len(words) == 512
    for turned in range(4):
        shared = (words[:, None] == np.roll(words, 2 * turned, axis=1)[None]).sum(axis=2)
        if turned == 0:
            np.fill_diagonal(shared, 0)
        assert shared.max() == 3


def test_both_tones_change_from_each_symbol_to_the_next() -> None:
    """Else a boundary would be heard in one band alone."""
    words = np.array(MARKS)
    assert (words != np.roll(words, 1, axis=1)).all()


def test_no_symbol_is_close_to_a_dtmf_pair() -> None:
    """700 or 920 Hz with 1665 Hz lie close to 697 and 941 Hz with 1633 Hz (ITU-T Q.23)."""
    assert {(2, 1), (4, 1)}.isdisjoint(symbol for word in MARKS for symbol in word)


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
