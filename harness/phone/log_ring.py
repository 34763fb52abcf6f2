"""The child's last log lines, in a memory-mapped file of fixed size that survives a SIGKILL."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Final

from harness.support.files import user_files

_WRITTEN: Final = struct.Struct("!Q")
_CAPACITY: Final = 64 * 1024


class LogRing:
    """Writes the ring; ``path`` is created with a fixed size of about 64 KB."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_WRITTEN.size + _CAPACITY)
            self._map = mmap.mmap(file.fileno(), _WRITTEN.size + _CAPACITY)
        self._written = 0

    def write(self, line: str) -> None:
        """Add a line, overwriting the oldest."""
        data = line.encode("utf-8", "replace")[: _CAPACITY // 2] + b"\n"
        at = self._written % _CAPACITY
        head = data[: _CAPACITY - at]
        self._map[_WRITTEN.size + at : _WRITTEN.size + at + len(head)] = head
        if len(head) < len(data):
            self._map[_WRITTEN.size : _WRITTEN.size + len(data) - len(head)] = data[len(head) :]
        self._written += len(data)
        _WRITTEN.pack_into(self._map, 0, self._written)


def last_lines(path: Path, most: int = 40) -> list[str]:
    """The last lines of a ring, oldest first; none when there is no such file."""
    try:
        raw = user_files.read(path, user_files.EVIDENCE)
    except OSError:
        return []
    if len(raw) < _WRITTEN.size:
        return []
    (written,) = _WRITTEN.unpack_from(raw)
    body = raw[_WRITTEN.size :]
    if written > len(body):
        at = written % len(body)
        body = body[at:] + body[:at]
        body = body[body.find(b"\n") + 1 :]  # the oldest line is incomplete
    else:
        body = body[:written]
    return body.decode("utf-8", "replace").splitlines()[-most:]
