"""Mono WAV files in and out, by libsndfile."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.errors import MistakeError
from harness.support.files import user_files, whole_file

#: Samples read at a time.
_BLOCK = 1 << 18
#: Longer than calls are. Compressed silence has no size: 440 kB of FLAC, or 700 kB of Ogg, hold
#: four hours, whose analysis took 6 GB.
MOST_SECONDS: Final = 2 * 3600.0
#: Decoding takes time by the sample: a file with more than two channels at 48 kHz may be
#: accordingly shorter.
_MOST_RATE: Final = 2 * 48_000
#: What libsndfile says of a stream whose header does not know its length.
_UNKNOWN_FRAMES: Final = (1 << 63) - 1
#: libsndfile's names of what holds fractions of full scale.
_STORED_AS_FLOATS = ("FLOAT", "DOUBLE")


class WavError(MistakeError):
    """An audio file is missing, is not one, or has a form this harness does not read."""


class TooLongError(Exception):
    """A sound file is longer than is read; the message does not name the file."""


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """The samples (int16) and sample rate of a mono sound file of any format libsndfile knows.

    A recording that was cut off before its header was completed is read as far as it goes. Raises
    :class:`WavError`.
    """
    try:
        with sound_file(path) as file:
            if file.channels != 1:
                raise WavError(
                    f"{path}: {file.channels} channels; a leg's recording has one (split it first)"
                )
            # What is stored as floats libsndfile gives as integers without scaling them: everything
            # would be 0 or 1.
            is_float = file.subtype in _STORED_AS_FLOATS
            # The size of a WAV file limits its length, and the harness's own recordings are WAV.
            most_s = math.inf if file.format == "WAV" else MOST_SECONDS
            read = list(blocks(file, _BLOCK, "float64" if is_float else "int16", most_s))
            samples = np.concatenate(read) if read else np.zeros(0, np.int16)
            return to_int16(np.clip(np.nan_to_num(samples), -1, 1)) if is_float else samples, int(
                file.samplerate
            )
    except TooLongError as error:
        raise WavError(f"{path}: {error}") from None
    except FileNotFoundError as error:
        raise WavError(f"{path}: no such file; allowed: a sound file") from error
    except IsADirectoryError as error:
        raise WavError(f"{path}: is a directory; allowed: a sound file") from error
    except OSError as error:
        raise WavError(
            f"{path}: cannot be read: {error.strerror}; allowed: a sound file"
        ) from error
    except (soundfile.LibsndfileError, ValueError) as error:
        # ValueError: a header whose length libsndfile does not believe, or a name that no file has
        why = error.error_string if isinstance(error, soundfile.LibsndfileError) else error
        raise WavError(
            f"{path}: not a sound file libsndfile can read ({path.stat().st_size} bytes): {why}; allowed: WAV, FLAC, Ogg …"
        ) from error


@contextmanager
def sound_file(
    path: Path, kind: user_files.FileKind = user_files.SOUND
) -> Iterator[soundfile.SoundFile]:
    """An open sound file. Raises ``OSError``, ``ValueError``, and
    :class:`soundfile.LibsndfileError` for another kind of file.
    """
    with (
        user_files.opened(path, kind) as opened,
        soundfile.SoundFile(opened.fileno(), closefd=False) as file,
    ):
        yield file


def blocks(
    file: soundfile.SoundFile,
    size: int,
    dtype: str,
    most_s: float = MOST_SECONDS,
    *,
    always_2d: bool = False,
) -> Iterator[NDArray[Any]]:
    """The samples of a file, ``size`` at a time: some codecs (GSM 06.10, as PBXs record) cannot be
    asked for the whole at once.

    Raises :class:`TooLongError` before anything is read where the header says so. A header may say
    nothing or lie, so samples are counted as well.
    """
    most = most_s * min(file.samplerate, _MOST_RATE / file.channels)
    if most < file.frames < _UNKNOWN_FRAMES:
        raise TooLongError(_too_long(file, most, f"{_hours(file, file.frames)} long"))
    read = 0
    while len(block := file.read(size, dtype=dtype, always_2d=always_2d)):
        read += len(block)
        if read > most:
            raise TooLongError(_too_long(file, most, "longer than its header says"))
        yield block


def _too_long(file: soundfile.SoundFile, most: float, what: str) -> str:
    form = f"at {file.samplerate} Hz with {file.channels} channel(s)"
    allowed = f"up to {_hours(file, most)} are read {form}"
    return f"{what}; {allowed}; see --max-hours of harness listen and harness witness"


def _hours(file: soundfile.SoundFile, frames: float) -> str:
    return f"{frames / file.samplerate / 3600:,.4g} hours"


def write_wav(path: Path, samples: NDArray[np.int16] | NDArray[np.float32], rate: int) -> None:
    """Write mono PCM16, whole or not at all: the file appears under its name when it is complete.

    Float samples run from -1 to 1 and are clipped there. Raises :class:`WavError` when it cannot be
    written.
    """
    pcm = samples if samples.dtype == np.int16 else to_int16(samples)
    try:
        whole_file.write(path, _octets(pcm, rate, subtype="PCM_16", format="WAV"))
    except (OSError, soundfile.LibsndfileError) as error:
        raise WavError(f"{path}: cannot be written: {error}") from error


def as_flac(path: Path) -> None:
    """Replace a sound file by the same samples as FLAC, with that suffix, in half the octets. Left
    alone: one in which nothing is, and where the disk has no room.
    """
    try:
        samples, rate = read_wav(path)
        if len(samples):
            # 1.0 makes it 5 % smaller, in 1.6 times the time
            octets = _octets(samples, rate, format="FLAC", compression_level=0.8)
            whole_file.write(path.with_suffix(".flac"), octets)
            path.unlink()
    except (OSError, WavError, soundfile.LibsndfileError):
        return


def _octets(samples: NDArray[Any], rate: int, **form: Any) -> bytes:
    """A sound file in memory: libsndfile flushes each file it closes to the disk, and waits."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **form)
    return file.getvalue()


def to_int16(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Float samples in -1…1 as int16, rounded, clipped at full scale."""
    return np.clip(np.rint(np.asarray(samples, np.float64) * 32768.0), -32768, 32767).astype(
        np.int16
    )
