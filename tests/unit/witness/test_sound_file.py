"""Sound files that others made: what is read of them, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from harness.audio.marks import waveform
from harness.witness.sound_file import SoundFileError, marks_in, read_sound


def seconds_of_mark(mark: int, seconds: float, rate: int = 8000) -> np.ndarray[Any, Any]:
    """One second of silence, the mark, half a second of silence."""
    sound = np.tile(waveform(mark), round(seconds / 0.16))
    at_8k = np.concatenate([np.zeros(8000, np.float32), sound, np.zeros(4000, np.float32)])
    return at_8k if rate == 8000 else soxr.resample(at_8k, 8000, rate)


@pytest.mark.parametrize(
    ("rate", "kind", "subtype"),
    [
        (8000, "WAV", "PCM_16"),
        (8000, "WAV", "ULAW"),
        (48000, "WAV", "FLOAT"),
        (16000, "MP3", "MPEG_LAYER_III"),
        (16000, "OGG", "OPUS"),
        (22050, "OGG", "VORBIS"),
        (44100, "FLAC", "PCM_24"),
    ],
)
def test_a_mark_is_found_where_it_is_in_each_format(
    tmp_path: Path, rate: int, kind: str, subtype: str
) -> None:
    path = tmp_path / "recording"
    soundfile.write(path, seconds_of_mark(7, 1.6, rate), rate, format=kind, subtype=subtype)
    sound = read_sound(path)
    assert sound.file_rate == rate
    (mark,) = marks_in(sound)
    assert (mark.mark, mark.channel) == (7, 0)
    assert mark.match > 0.8
    assert mark.began == pytest.approx(1.0, abs=0.12)
    assert mark.ended == pytest.approx(2.6, abs=0.12)


def test_each_channel_has_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(
        path, np.stack([seconds_of_mark(7, 1.6), seconds_of_mark(9, 1.6)], axis=1), 8000
    )
    sound = read_sound(path)
    assert [(mark.mark, sound.channel_name(mark.channel)) for mark in marks_in(sound)] == [
        (7, "left"),
        (9, "right"),
    ]
    assert len(sound.mixed) == len(sound.channels[0])


def test_the_deep_search_finds_a_mark_beneath_another(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    soundfile.write(path, 0.5 * seconds_of_mark(7, 1.6) + 0.25 * seconds_of_mark(9, 1.6), 8000)
    assert {mark.mark for mark in marks_in(read_sound(path), deep=True)} == {7, 9}


def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    def refused(content: bytes | np.ndarray[Any, Any], rate: int = 8000) -> str:
        path = tmp_path / "a.sound"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            soundfile.write(path, content, rate, format="WAV")
        with pytest.raises(SoundFileError) as caught:
            read_sound(path)
        assert len(str(caught.value).splitlines()) == 1
        return str(caught.value).removeprefix(f"{path}: ")

    assert refused(b"hello").startswith("not a sound file that can be read (5 bytes)")
    assert refused(b"")
    assert "M4A and MP4 are not read" in refused(b"\x00\x00\x00\x20ftypM4A " + bytes(64))
    assert refused(np.zeros((80, 3))) == "3 channels; one or two are read"
    assert refused(np.zeros(80), 1000) == "1000 samples a second; 4000 to 384000 are read"
    (tmp_path / "a.sound").unlink()
    with pytest.raises(SoundFileError, match="cannot be read: No such file"):
        read_sound(tmp_path / "a.sound")


def test_a_damaged_file_writes_nothing_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.mp3"
    soundfile.write(
        path, seconds_of_mark(7, 1.6, 16000), 16000, format="MP3", subtype="MPEG_LAYER_III"
    )
    content = bytearray(path.read_bytes())
    content[600:900] = bytes(300)
    path.write_bytes(content)
    read_sound(path)
    assert capfd.readouterr().err == ""


def test_a_file_of_no_length_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), 8000)
    assert (read_sound(path).seconds, marks_in(read_sound(path))) == (0.0, ())
