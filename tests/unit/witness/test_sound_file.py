"""Sound files that others made: what is read of them, and what is refused in one line."""

from __future__ import annotations

import gzip
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from harness.audio.marks import waveform
from harness.witness.sound_file import SoundFileError, marks_in, read_sound, sound_of


def seconds_of_mark(mark: int, rate: int = 8000) -> np.ndarray[Any, Any]:
    """One second of silence, 1.6 s of the mark, half a second of silence."""
    sound = np.tile(waveform(mark), 10)
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
    soundfile.write(path, seconds_of_mark(7, rate), rate, format=kind, subtype=subtype)
    sound = read_sound(path)
    assert sound.file_rate == rate
    (mark,) = marks_in(sound)
    assert (mark.mark, mark.channel) == (7, 0)
    assert mark.match > 0.8
    assert mark.began == pytest.approx(1.0, abs=0.12)
    assert mark.ended == pytest.approx(2.6, abs=0.12)


def test_each_channel_has_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([seconds_of_mark(7), seconds_of_mark(9)], axis=1), 8000)
    sound = read_sound(path)
    assert [(mark.mark, sound.channel_name(mark.channel)) for mark in marks_in(sound)] == [
        (7, "left"),
        (9, "right"),
    ]
    assert len(sound.mixed) == len(sound.channels[0])


def test_the_deep_search_finds_a_mark_beneath_another(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    soundfile.write(path, 0.5 * seconds_of_mark(7) + 0.25 * seconds_of_mark(9), 8000)
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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><title>Sign in</title>", "a web page, perhaps to sign in at"),
        (
            b'\xef\xbb\xbf<?xml version="1.0"?>\n<html xmlns="x">',
            "a web page, perhaps to sign in at",
        ),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML, perhaps an error"),
        (b'{"error": "not found"}', "JSON, perhaps an error"),
        (b"PK\x03\x04\x14" + bytes(60), "a ZIP archive; unpack it"),
        (gzip.compress(b"RIFF"), "a gzip file; unpack it"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"[2026-03-01 14:04:09] INVITE sip:a@b SIP/2.0\r\n" * 90, "text, perhaps a log; of calls"),
        ("2026-03-01 Gespräch\n".encode() * 200, "text, perhaps a log; of calls"),
        (b"2026-03-01 Gespr\xe4ch\n" * 3, "text, perhaps a log; of calls"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_no_sound_says_what_it_is(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(content)
    with pytest.raises(SoundFileError) as caught:
        read_sound(path)
    said = f"{path}: not a sound file that can be read ({len(content)} bytes): {words}"
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith("; allowed: WAV, MP3, Ogg, FLAC")


def wav_file(subtype: str, size: int | None) -> bytes:
    """One and a half seconds of mark 7 in a WAV file whose header has ``size`` for their octets."""
    file = BytesIO()
    soundfile.write(file, seconds_of_mark(7), 8000, format="WAV", subtype=subtype)
    content = bytearray(file.getvalue())
    at = content.index(b"data") + 4
    if size is not None:
        struct.pack_into("<I", content, 4, size and 0xFFFFFFFF)
        struct.pack_into("<I", content, at, size)
    return bytes(content)


@pytest.mark.parametrize("subtype", ["PCM_16", "ULAW", "FLOAT"])
@pytest.mark.parametrize("size", [0, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_recording_whose_recorder_died_is_read_to_its_end(subtype: str, size: int) -> None:
    """The length of its sound was to be written at the end."""
    whole = sound_of(wav_file(subtype, None), "whole")
    torn = sound_of(wav_file(subtype, size), "torn")
    assert torn.seconds == pytest.approx(whole.seconds, abs=0.01)
    assert [mark.mark for mark in marks_in(torn)] == [7]


def test_a_recording_of_nothing_stays_empty() -> None:
    """What follows the sound is no sound."""
    file = BytesIO()
    soundfile.write(file, np.zeros(0), 8000, format="WAV")
    note = b"LIST" + struct.pack("<I", 200) + bytes(200)
    empty = sound_of(file.getvalue() + note, "empty")
    assert (empty.seconds, marks_in(empty)) == (0.0, ())


def test_a_damaged_file_writes_nothing_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged.mp3"
    soundfile.write(path, seconds_of_mark(7, 16000), 16000, format="MP3", subtype="MPEG_LAYER_III")
    content = bytearray(path.read_bytes())
    content[600:900] = bytes(300)
    path.write_bytes(content)
    read_sound(path)
    assert capfd.readouterr().err == ""
