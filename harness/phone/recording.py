"""The files of a leg, and whether the WAV files among them, which pjmedia writes, are complete."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.errors import ResourceError
from harness.support.files import stem_of, user_files

_HEADER: Final = 44  # pjmedia's: RIFF, "fmt " of 16 bytes, "data"
_OCTETS_A_SECOND: Final = 2 * 8000
#: The most audio that a recorder buffers before it writes.
BUFFERED_S: Final = 0.44
#: Received audio is on disk after this time, if the machine keeps up.
ON_DISK_WITHIN_S: Final = BUFFERED_S + 0.11


def paths(directory: Path, leg: str) -> tuple[Path, Path]:
    """The recordings of received and of sent audio."""
    return path_of(directory, leg, ".received.wav"), path_of(directory, leg, ".sent.wav")


def so_far(path: Path) -> NDArray[np.int16]:
    """The samples on disk of a running recording, whose header has no sizes yet. The last
    ``ON_DISK_WITHIN_S`` may be missing.
    """
    try:
        raw = user_files.read(path, user_files.SOUND)[_HEADER:]
    except OSError:
        return np.zeros(0, np.int16)
    return np.frombuffer(raw[: len(raw) & ~1], "<i2")


def require_whole(path: Path, heard_s: float, held_back_s: float) -> None:
    """Raise :class:`ResourceError` when a recording is shorter than the audio received: pjmedia
    does not report a full disk.

    The last ``held_back_s`` seconds may be missing.
    """
    try:
        octets = path.stat().st_size
    except OSError:
        octets = 0
    on_disk_s = max(0, octets - _HEADER) / _OCTETS_A_SECOND
    if heard_s - on_disk_s > held_back_s:
        raise ResourceError(
            f"{path}: the disk took {on_disk_s:.1f} s of {heard_s:.1f} s; is it full?"
        )


def is_whole(path: Path) -> bool:
    """Whether a recording's header has its final sizes, which pjmedia writes when it closes the
    file.
    """
    try:
        with path.open("rb") as file:
            header = file.read(8)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return len(header) == 8 and int.from_bytes(header[4:8], "little") + 8 == size


def mend(path: Path) -> bool:
    """Write the sizes into the header of a recording that was not closed; False when the file is
    missing or empty.
    """
    try:
        with path.open("r+b") as file:
            header = bytearray(file.read(_HEADER))
            size = os.fstat(file.fileno()).st_size
            if size <= _HEADER or len(header) < _HEADER or header[36:40] != b"data":
                return False
            struct.pack_into("<I", header, 4, size - 8)
            struct.pack_into("<I", header, 40, size - _HEADER)
            file.seek(0)
            file.write(header)
    except OSError:
        return False
    return True


def path_of(directory: Path, leg: str, ending: str) -> Path:
    """A file of a leg, always inside ``directory``, and different for each leg: phone names may
    contain any character.
    """
    return directory / f"{stem_of(leg)}{ending}"
