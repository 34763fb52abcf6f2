"""How long a sound file of others may be: decided by its header before its sound is decoded, and by
counting where a header does not say it or lies.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from harness.audio.wav import WavError, read_wav
from harness.run.cli.app import application
from harness.witness.sound_file import SoundFileError, read_sound, sound_of

HOUR = 3600.0


def silence(path: Path, seconds: float, form: str, rate: int = 8000, channels: int = 1) -> Path:
    kind, _, subtype = form.partition(" ")
    with soundfile.SoundFile(path, "w", rate, channels, subtype or None, format=kind) as file:
        piece = np.zeros((rate, channels), np.int16)
        for _ in range(round(seconds)):
            file.write(piece)
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples of each channel were decoded, block by block."""
    read, found = soundfile.SoundFile.read, list[int]()

    def counting(file: soundfile.SoundFile, *args: object, **kwargs: object) -> object:
        block = read(file, *args, **kwargs)
        found.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    return found


FORMS = ["FLAC", "OGG VORBIS", "OGG OPUS", "MP3", "WAV", "WAV ULAW", "AIFF", "AU", "W64"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 2])
def test_header_of_a_long_file_is_enough_to_refuse_it(
    tmp_path: Path, decoded: list[int], form: str, channels: int
) -> None:
    path = silence(tmp_path / "a.sound", 20, form, channels=channels)
    with pytest.raises(SoundFileError, match=f"{path}: .* hours long; up to 0.002778 hours") as no:
        read_sound(path, most_s=10)
    assert len(str(no.value).splitlines()) == 1
    assert "--max-hours" in str(no.value)
    assert sum(decoded) == 0
    assert read_sound(path, most_s=25).seconds == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"),
    [(8000, 1, 10), (48000, 2, 10), (96000, 1, 10), (96000, 2, 5), (192000, 2, 2.5)],
)
def test_allowed_length_is_less_at_higher_rates(
    tmp_path: Path, decoded: list[int], rate: int, channels: int, seconds: float
) -> None:
    """Twelve times the samples take twelve times the time to decode."""
    fits = silence(tmp_path / "fits.flac", int(seconds), "FLAC", rate, channels)
    assert read_sound(fits, most_s=10).seconds == int(seconds)
    decoded.clear()
    path = silence(tmp_path / "long.flac", int(seconds) + 1, "FLAC", rate, channels)
    with pytest.raises(SoundFileError, match=f"at {rate} Hz with {channels} channel"):
        read_sound(path, most_s=10)
    assert sum(decoded) == 0


def flac_with(frames: int) -> Callable[[bytes], bytes]:
    """STREAMINFO's count of samples, 36 bits (RFC 9639 section 8.2); 0: unknown."""

    def changed(content: bytes) -> bytes:
        word = int.from_bytes(content[18:26]) >> 36 << 36 | frames
        return content[:18] + word.to_bytes(8) + content[26:]

    return changed


def wav_with(size: int) -> Callable[[bytes], bytes]:
    """The size of the data chunk; programs that write to a pipe say 0 or 0xFFFFFFFF."""
    return lambda content: content[:40] + size.to_bytes(4, "little") + content[44:]


def mp3_without_count(content: bytes) -> bytes:
    """The first frame, which holds the count (Xing or Info), is left out."""
    at = max(content.find(b"Xing"), content.find(b"Info"))
    assert at > 0
    return content[content.index(content[:2], at) :]


def ogg_without_end(content: bytes) -> bytes:
    """The last page says how long the sound is."""
    return content[: content.rindex(b"OggS")]


@pytest.mark.parametrize(
    ("form", "lie"),
    [
        ("FLAC", flac_with(0)),
        ("FLAC", flac_with(1)),
        ("FLAC", flac_with(8000)),
        ("FLAC", flac_with(10**10)),
        ("WAV", wav_with(0)),
        ("WAV", wav_with(16000)),
        ("WAV", wav_with(0xFFFFFFFF)),
        ("MP3", mp3_without_count),
        ("OGG VORBIS", ogg_without_end),
        ("OGG OPUS", ogg_without_end),
    ],
)
def test_header_that_lies_lets_no_more_be_decoded(
    tmp_path: Path, decoded: list[int], form: str, lie: Callable[[bytes], bytes]
) -> None:
    content = lie(silence(tmp_path / "a.sound", 60, form).read_bytes())
    seconds, said = 0.0, "recording: "
    try:
        seconds = sound_of(content, "recording", most_s=10).seconds
    except SoundFileError as error:
        said = str(error)
    assert seconds <= 10
    assert said.startswith("recording: ")
    assert len(said.splitlines()) == 1
    assert sum(decoded) <= 2 * 10 * 8000


def test_samples_are_counted_where_the_header_does_not_know_the_length(
    tmp_path: Path, decoded: list[int]
) -> None:
    content = flac_with(0)(silence(tmp_path / "a.flac", 60, "FLAC").read_bytes())
    with pytest.raises(SoundFileError, match="recording: longer than its header says; up to"):
        sound_of(content, "recording", most_s=10)
    assert sum(decoded) == 2 * 10 * 8000


def test_evidence_of_a_run_is_no_longer_than_that_unless_it_is_wav(
    tmp_path: Path, decoded: list[int]
) -> None:
    """A run's directory may come from somebody else, with FLAC under the name of a recording."""
    content = silence(tmp_path / "a.flac", 1, "FLAC").read_bytes()
    path = tmp_path / "caller.received.wav"
    path.write_bytes(flac_with(round(4 * HOUR * 8000))(content))
    with pytest.raises(WavError, match=r"caller\.received\.wav: 4 hours long; up to 2 hours"):
        read_wav(path)
    assert sum(decoded) == 0


@pytest.mark.parametrize("form", ["FLAC", "OGG VORBIS", "MP3", "WAV"])
def test_listen_reads_longer_files_when_its_user_says_so(tmp_path: Path, form: str) -> None:
    path = str(silence(tmp_path / "a.sound", 9, form))
    refused = CliRunner().invoke(application(), ["listen", path, "--max-hours", "0.002"])
    assert isinstance(refused.exception, SoundFileError)
    assert (
        CliRunner().invoke(application(), ["listen", path, "--max-hours", "0.003"]).exit_code == 0
    )


#: The peak is that of this program alone: ru_maxrss counts its parent's memory, too.
LISTEN = """
import re, sys
from pathlib import Path
from harness.run.cli.entry import main
sys.argv[1:] = ["listen", *sys.argv[1:]]
try:
    main()
finally:
    peak = re.search(r"VmHWM:\\s*([0-9]+) kB", Path("/proc/self/status").read_text())
    print(int(peak[1]) // 1024)
"""


@pytest.mark.parametrize("form", ["FLAC", pytest.param("OGG VORBIS", marks=pytest.mark.nightly)])
def test_four_hours_of_silence_are_refused_without_being_decoded(tmp_path: Path, form: str) -> None:
    path, minute = tmp_path / "long", np.zeros(8000 * 60, np.int16)
    kind, _, subtype = form.partition(" ")
    with soundfile.SoundFile(path, "w", 8000, 1, subtype or None, format=kind) as file:
        for _ in range(240):
            file.write(minute)
    assert path.stat().st_size < 1_000_000
    listen = [sys.executable, "-c", LISTEN, str(path)]
    done = subprocess.run(listen, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "4 hours long; up to 2 hours are read" in line
    mib = int(done.stdout.splitlines()[-1])
    assert mib < 300
