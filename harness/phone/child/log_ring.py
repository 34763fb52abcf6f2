"""The child's last log lines, in a file mapped to memory, which survives a SIGKILL
(``protocol.last_lines`` reads it).
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path
from typing import Final

from harness.phone.child.pjlib import pointer

_OCTETS: Final = 8 + 64 * 1024  # struct ring
# Writing takes less time than releasing the GIL.
_library = ctypes.PyDLL(str(Path(__file__).with_name("liblog_ring.so")))
_library.log_ring_write.argtypes = (pointer, ctypes.c_char_p, ctypes.c_size_t)
_library.log_ring_write.restype = None
_library.log_ring_keep.argtypes = (pointer, pointer)
_library.log_ring_keep.restype = None


class LogRing:
    """Writes log lines, overwriting the oldest. Thread-safe."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_OCTETS)
            self._map = mmap.mmap(file.fileno(), _OCTETS)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def write(self, line: str) -> None:
        octets = line.encode("utf-8", "replace")
        _library.log_ring_write(self._at, octets, len(octets))

    def keep_media_entries(self, library: ctypes.CDLL) -> None:
        """Write entries of pjmedia's log in C, without Python: nothing else reads them. ``library``
        is pjproject's.
        """
        library.pj_log_get_log_func.restype = pointer
        library.pj_log_set_log_func.argtypes = (pointer,)
        _library.log_ring_keep(self._at, library.pj_log_get_log_func())
        library.pj_log_set_log_func(_library.log_ring_entry)
