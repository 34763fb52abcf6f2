from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.audio.wav import WavError, read_wav, to_int16, write_wav


def test_samples_come_back(tmp_path: Path) -> None:
    samples = np.arange(-32768, 32767, 7, dtype=np.int16)
    write_wav(tmp_path / "a.wav", samples, 16000)
    again, rate = read_wav(tmp_path / "a.wav")
    assert rate == 16000
    assert np.array_equal(again, samples)


def test_floats_are_scaled_and_clipped() -> None:
    assert to_int16(np.array([0.5, -1.0, 1.0, 3.0])).tolist() == [16384, -32768, 32767, 32767]


def test_errors_say_the_file_and_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(WavError, match=r"missing\.wav: no such file"):
        read_wav(tmp_path / "missing.wav")
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(WavError, match=r"text\.wav: not a sound file .* \(5 bytes\)"):
        read_wav(tmp_path / "text.wav")
    soundfile.write(tmp_path / "two.wav", np.zeros((10, 2)), 8000)
    with pytest.raises(WavError, match="2 channels"):
        read_wav(tmp_path / "two.wav")
    with pytest.raises(WavError, match="cannot be written"):
        write_wav(tmp_path / "nowhere" / "a.wav", np.zeros(10, np.int16), 8000)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "GSM610"), ("WAV", "FLOAT"), ("FLAC", "PCM_24"), ("OGG", "VORBIS")],
)
def test_what_is_stored_in_another_form_is_heard_as_loud_as_it_is(
    tmp_path: Path, kind: str, subtype: str
) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)
    soundfile.write(tmp_path / "a", tone, 8000, format=kind, subtype=subtype)
    samples, rate = read_wav(tmp_path / "a")
    assert rate == 8000
    assert np.sqrt(
        2 * np.mean(np.square(samples[2000:6000].astype(float)))
    ) / 32768 == pytest.approx(0.5, rel=0.15)


def test_floats_that_are_no_numbers_are_silence_or_full_scale(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.array([np.nan, np.inf, -np.inf, 1.5, -0.5]), 8000, subtype="FLOAT")
    assert read_wav(path)[0].tolist() == [0, 32767, -32768, 32767, -16384]


def test_a_file_of_no_length_is_read_as_such(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000, subtype="PCM_24")
    samples, rate = read_wav(tmp_path / "a.wav")
    assert samples.dtype == np.int16
    assert (len(samples), rate) == (0, 8000)
