"""The WAV files of a leg, which pjmedia writes: their names, and whether they are finished."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.errors import ResourceError
from harness.phone import files
from harness.support.files import user_files

_HEADER: Final = 44  # pjmedia's: RIFF, "fmt " of 16 bytes, "data"
_OCTETS_A_SECOND: Final = 2 * 8000
#: What a recorder holds back at most, before it writes.
BUFFERED_S: Final = 0.44
#: So long after it arrived a sound is on disk, where the machine keeps up.
ON_DISK_WITHIN_S: Final = BUFFERED_S + 0.11


def paths(directory: Path, leg: str) -> tuple[Path, Path]:
    """Where what a leg receives and what it sends is recorded."""
    return files.path(directory, leg, ".received.wav"), files.path(directory, leg, ".sent.wav")


def so_far(path: Path) -> NDArray[np.int16]:
    """What is on disk of a recording that goes on (pjmedia's own header has no sizes yet).

    The last ``ON_DISK_WITHIN_S`` may not be.
    """
    try:
        raw = user_files.read(path, user_files.SOUND)[_HEADER:]
    except OSError:
        return np.zeros(0, np.int16)
    return np.frombuffer(raw[: len(raw) & ~1], "<i2")


def require_whole(path: Path, heard_s: float, held_back_s: float) -> None:
    """Raise :class:`ResourceError` where a recording lacks what was heard: pjmedia says nothing of a disk that takes no more.

    ``held_back_s`` may be on no disk yet.
    """
    try:
        octets = path.stat().st_size
    except OSError:
        octets = 0
    on_disk_s = max(0, octets - _HEADER) / _OCTETS_A_SECOND
    if heard_s - on_disk_s > held_back_s:
        raise ResourceError(f"{path}: the disk took {on_disk_s:.1f} s of {heard_s:.1f} s; is it full?")


def is_whole(path: Path) -> bool:
    """Whether a recording's header has its final sizes: pjmedia writes them when it closes the file."""
    try:
        with path.open("rb") as file:
            header = file.read(8)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return len(header) == 8 and int.from_bytes(header[4:8], "little") + 8 == size


def mend(path: Path) -> bool:
    """Give a recording that nobody closed its sizes; False when there is none, or nothing in it."""
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
