"""Writes files completely or not at all: a reader would take what a full disk cut short for the
whole file.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

#: How the name of a file ends that is not whole yet; it begins with a dot.
PARTIAL = ".part"


def write(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file, text as UTF-8; what stood there before stays until it is whole. Raises
    ``OSError``.
    """
    with writing(path) as partial:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if mode is not None:
            partial.chmod(mode)


def create(path: Path, content: bytes, mode: int) -> None:
    """Write a new file. Raises ``FileExistsError`` where there is one: keys are never overwritten."""
    # the mode is set as the file is made: at no moment can others read it
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def append(path: Path, text: str) -> None:
    """Add to a file, made when missing. What is no UTF-8 is written as an escape."""
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Where to write what is to stand at ``path`` when it is whole; whatever is raised meanwhile,
    nothing of it stays.
    """
    partial = path.with_name(
        f".{path.name}.{os.getpid()}{PARTIAL}"
    )  # several processes may write the same at once
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


class Written(NamedTuple):
    """Which file a path leads to, and what was written there."""

    device: int
    inode: int
    size: int
    crc: int  #: CRC-32 of its octets


def written(path: Path) -> Written:
    """The file as it is now; a link is itself. Raises ``OSError``."""
    found = path.lstat()
    crc = zlib.crc32(path.read_bytes()) if stat.S_ISREG(found.st_mode) else 0
    return Written(found.st_dev, found.st_ino, found.st_size, crc)


def changed(path: Path, before: Written) -> str:
    """What others have done to a file since it was written; empty: nothing that shows."""
    try:
        now = written(path)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        return "is missing" if missing else f"cannot be read: {error.strerror}"
    if now[:2] != before[:2]:
        return "was replaced"
    if now.size < before.size:
        return "was cut short"
    if now.size > before.size:
        return "was added to"
    return "was changed" if now.crc != before.crc else ""
