"""Sound files that others made: a platform's recording of a call, a file that somebody brings. WAV,
MP3, Ogg (Opus, Vorbis), FLAC.

libsndfile opens them, soxr brings them to the rate of the marks. It knows no M4A, and neither does
any library the harness needs for something else: such a file is refused in one line.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from harness.audio.detector import Ended, Heard, marks_heard
from harness.audio.marks import SAMPLE_RATE
from harness.audio.mixture import marks_in as marks_at_once
from harness.audio.wav import MOST_SECONDS, TooLongError, blocks, to_int16
from harness.errors import MistakeError
from harness.support.files import user_files
from harness.witness.file_kind import other_kind

_RATES: Final = range(4000, 384_001)
_MOST_CHANNELS: Final = 2
_BLOCK_S: Final = 10
_STDERR: Final = threading.Lock()


class SoundFileError(MistakeError):
    """A file that is not a sound file, or has a form, size or length the harness does not read."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound file holds, at 8 kHz."""

    channels: tuple[NDArray[np.int16], ...]
    file_rate: int  #: samples a second in the file
    name: str  #: the file's name, for messages

    @property
    def seconds(self) -> float:
        return len(self.channels[0]) / SAMPLE_RATE

    def channel_name(self, channel: int) -> str:
        """``left`` or ``right``; empty where there is one channel."""
        return "" if len(self.channels) == 1 else ("left", "right")[channel]

    @property
    def mixed(self) -> NDArray[np.int16]:
        """All channels together: both sides of a call, as a mono recording has them."""
        if len(self.channels) == 1:
            return self.channels[0]
        mean = np.stack(self.channels).mean(axis=0, dtype=np.float32)
        mixed: NDArray[np.int16] = mean.astype(np.int16)
        return mixed


@dataclass(frozen=True, slots=True)
class HeardMark:
    """A mark in a sound file, from its first to its last moment there."""

    mark: int
    channel: int
    began: float  #: seconds from the file's beginning
    ended: float
    match: float  #: the best correlation with the mark's waveform, 0…1


def read_sound(path: Path, most_s: float = MOST_SECONDS) -> Sound:
    """The sound of a file on disk, up to ``most_s`` seconds long. Raises :class:`SoundFileError`."""
    try:
        return sound_of(user_files.read(path, user_files.SOUND), str(path), most_s)
    except OSError as error:
        raise SoundFileError(
            f"{path}: cannot be read: {error.strerror}; allowed: a sound file"
        ) from error


def sound_of(content: bytes, name: str, most_s: float = MOST_SECONDS) -> Sound:
    """The sound in a file's ``content``. Raises :class:`SoundFileError`, whose line begins with
    ``name``.
    """
    try:
        mended = _with_length(content)
        with _without_stderr(), soundfile.SoundFile(BytesIO(mended)) as file:
            return _read(file, name, most_s)
    except TooLongError as error:
        raise SoundFileError(f"{name}: {error}") from None
    except (soundfile.LibsndfileError, ValueError, MemoryError) as error:
        own = error.error_string if isinstance(error, soundfile.LibsndfileError) else error
        why = other_kind(content) or own
        if content[4:8] == b"ftyp":
            why = "M4A and MP4 are not read; convert it to WAV, MP3, Ogg or FLAC"
        raise SoundFileError(
            f"{name}: not a sound file that can be read ({len(content)} bytes): {why}; allowed: WAV, MP3, Ogg, FLAC"
        ) from error


def _with_length(content: bytes) -> bytes:
    """A WAV file with the length of its sound, if its recorder died before it wrote one.
    libsndfile itself reads a file to its end whose length is too long.
    """
    at = 12
    while content[:4] == b"RIFF" and at + 8 < len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        at += 8
        if kind == b"data":
            # behind a part that is really empty comes the name of the next one
            is_unfinished = size == 0 and not content[at : at + 4].strip().isalnum()
            if not is_unfinished:
                return content
            length = struct.pack("<I", len(content) - at)
            return content[: at - 4] + length + content[at:]
        at += size + size % 2
    return content


@contextmanager
def _without_stderr() -> Iterator[None]:
    """libmpg123 writes lines about a damaged file to the process's stderr."""
    with _STDERR:
        kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nothing)


def _read(file: soundfile.SoundFile, name: str, most_s: float) -> Sound:
    rate, channels = int(file.samplerate), file.channels
    if channels > _MOST_CHANNELS:
        raise SoundFileError(f"{name}: {channels} channels; one or two are read")
    if rate not in _RATES:
        raise SoundFileError(
            f"{name}: {rate} samples a second; {_RATES[0]} to {_RATES[-1]} are read"
        )
    # Resampled block by block: of a long stereo file at 48 kHz only what is kept fills memory.
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, channels, dtype="float32")
    kept: list[NDArray[np.int16]] = []
    for block in blocks(file, _BLOCK_S * rate, "float32", most_s, always_2d=True):
        clipped = np.clip(np.nan_to_num(block), -1, 1)
        kept.append(to_int16(stream.resample_chunk(clipped)))
    nothing = np.zeros((0, channels), np.float32)
    kept.append(to_int16(stream.resample_chunk(nothing, last=True)))
    whole = np.concatenate(kept)
    by_channel = tuple(np.ascontiguousarray(whole[:, number]) for number in range(channels))
    return Sound(by_channel, rate, name)


def marks_in(sound: Sound, *, deep: bool = False) -> tuple[HeardMark, ...]:
    """Every mark in each channel, in the order in which they begin.

    ``deep`` also finds marks beneath louder sounds, at some 20 ms of processor time for each
    second.
    """
    found: list[HeardMark] = []
    for number, samples in enumerate(sound.channels):
        found += _marks(samples, number, deep)
    return tuple(sorted(found, key=lambda mark: (mark.began, mark.channel)))


def _marks(samples: NDArray[np.int16], channel: int, deep: bool) -> list[HeardMark]:
    spans: list[HeardMark] = []
    going_on: dict[int, list[Heard]] = {}
    for fact in marks_heard(samples):
        if isinstance(fact, Heard):
            going_on.setdefault(fact.mark, []).append(fact)
        elif facts := going_on.pop(fact.mark, []):
            spans.append(_span(facts, fact, channel))
    spans += [_span(facts, None, channel) for facts in going_on.values()]
    if deep:
        for fact in marks_at_once(samples):
            found = HeardMark(fact.mark, channel, fact.began, fact.decided, fact.quality)
            if not any(_is_same(found, known) for known in spans):
                spans.append(found)
    return spans


def _is_same(one: HeardMark, other: HeardMark) -> bool:
    return one.mark == other.mark and one.began < other.ended and other.began < one.ended


def _span(facts: list[Heard], end: Ended | None, channel: int) -> HeardMark:
    began = min(fact.began for fact in facts)
    ended = max(facts[-1].decided, end.at if end is not None else 0.0)
    return HeardMark(facts[0].mark, channel, began, ended, max(fact.quality for fact in facts))
