"""Reads files that users, other programs or other machines wrote: regular files only, up to a size
limit for each kind.

A FIFO would block forever, a device never ends, and a file of several GB would fill the memory.
Every function raises ``OSError`` whose ``strerror`` says what is wrong, so callers report these
cases like any other file that cannot be read.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
_SPECIAL: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@dataclass(frozen=True)
class FileKind:
    """What a file is read as."""

    most_bytes: int
    is_secret: bool = False  #: only its owner, this user or root, may be able to read it


SETTINGS: Final = FileKind(4 * _MIB)  #: TOML and other text that people write
NUMBERS: Final = FileKind(16 * _MIB)  #: a spreadsheet of numbers: some 300,000 rows
PEM: Final = FileKind(
    4 * _MIB
)  #: certificates and keys; a system's whole list of authorities has 0.3 MiB
PRIVATE_KEY: Final = FileKind(_MIB, is_secret=True)
REPORT: Final = FileKind(8 * _MIB)  #: a platform's report
SOUND: Final = FileKind(512 * _MIB)  #: nine hours of telephone sound
EVIDENCE: Final = FileKind(512 * _MIB)  #: files of a run, which may have been made elsewhere


def opened(path: Path, kind: FileKind | None = None) -> BufferedReader:
    """A regular file, open for reading; ``kind`` limits its size. Links are followed."""
    # O_NONBLOCK: opening a FIFO does not wait for a writer; regular files ignore it
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _check(os.fstat(descriptor), path, kind)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read(path: Path, kind: FileKind) -> bytes:
    """The whole content of a regular file."""
    with opened(path, kind) as file:
        size = os.fstat(file.fileno()).st_size
        raw = file.read(size + 1)  # memory for the limit would take longer than to read
        if len(raw) > size:  # it has grown, or is of /proc, where files do not say their size
            raw += file.read(kind.most_bytes + 1 - len(raw))
    if len(raw) > kind.most_bytes:
        raise _too_large(path, kind)
    return raw


def read_text(path: Path, kind: FileKind, errors: str = "strict") -> str:
    """The content as UTF-8, with or without a byte order mark. Raises ``UnicodeDecodeError`` unless
    ``errors`` says otherwise.
    """
    return read(path, kind).decode("utf-8-sig", errors)


def encoding_of(error: UnicodeDecodeError) -> str:
    """Where text is not UTF-8, and what it probably is."""
    raw = error.object
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "line 1: is not in UTF-8 but in UTF-16"
    line = raw[: error.start].count(b"\n") + 1
    sign = raw[error.start : error.start + 1].decode("cp1252", "replace")
    return f"line {line}: is not in UTF-8 (in Windows-1252 it has {sign} there)"


def _check(found: os.stat_result, path: Path, kind: FileKind | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        what = _SPECIAL.get(stat.S_IFMT(found.st_mode), "special")
        raise OSError(errno.EINVAL, f"Not a regular file ({what})", str(path))
    if kind is None:
        return
    if found.st_size > kind.most_bytes:
        raise _too_large(path, kind)
    if kind.is_secret and found.st_uid not in (os.geteuid(), 0):
        raise PermissionError(errno.EPERM, "It belongs to another user", str(path))
    if kind.is_secret and found.st_mode & 0o077:
        raise PermissionError(
            errno.EPERM, "Others can read it; it needs mode 0600 (chmod 600)", str(path)
        )


def _too_large(path: Path, kind: FileKind) -> OSError:
    return OSError(errno.EFBIG, f"File too large (limit {kind.most_bytes // _MIB} MiB)", str(path))
