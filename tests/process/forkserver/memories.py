"""What forked processes remember."""

from __future__ import annotations

import contextlib
from pathlib import Path

SECRET = "correct-horse-battery"


def remembers(pid: int, secret: str) -> bool:
    """Whether it stands anywhere in that process's memory."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_, name = [*line.split(), ""]
            if rights.startswith("rw") and name not in ("[vvar]", "[vsyscall]"):
                begin, end = (int(place, 16) for place in span.split("-"))
                memory.seek(begin)
                with contextlib.suppress(OSError):  # given back meanwhile
                    if secret.encode() in memory.read(end - begin):
                        return True
    return False
