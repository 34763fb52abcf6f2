"""Mono WAV files in and out, by libsndfile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.errors import MistakeError
from harness.support.files import user_files, whole_file

#: Samples read at a time.
_BLOCK = 1 << 18
#: libsndfile's names of what holds fractions of full scale.
_STORED_AS_FLOATS = ("FLOAT", "DOUBLE")


class WavError(MistakeError):
    """An audio file is missing, is not one, or has a form this harness does not read."""


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
            blocks = list(_blocks(file, "float64" if is_float else "int16"))
            samples = np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
            return to_int16(np.clip(np.nan_to_num(samples), -1, 1)) if is_float else samples, int(
                file.samplerate
            )
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


def _blocks(file: soundfile.SoundFile, dtype: str) -> Iterator[NDArray[Any]]:
    """All of it; some codecs (GSM 06.10, as PBXs record) cannot be asked for the whole at once."""
    while len(block := file.read(_BLOCK, dtype=dtype)):
        yield block


def write_wav(path: Path, samples: NDArray[np.int16] | NDArray[np.float32], rate: int) -> None:
    """Write mono PCM16, whole or not at all: the file appears under its name when it is complete.

    Float samples run from -1 to 1 and are clipped there. Raises :class:`WavError` when it cannot be
    written.
    """
    pcm = samples if samples.dtype == np.int16 else to_int16(samples)
    try:
        with whole_file.writing(path) as partial:
            soundfile.write(partial, pcm, rate, subtype="PCM_16", format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise WavError(f"{path}: cannot be written: {error}") from error


def to_int16(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Float samples in -1…1 as int16, rounded, clipped at full scale."""
    return np.clip(np.rint(np.asarray(samples, np.float64) * 32768.0), -32768, 32767).astype(
        np.int16
    )
