"""Files that are there whole or not at all: what a full disk cuts short would be taken for whole by who reads it next."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8; what stood there before stays until it is whole. Raises ``OSError``."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")  # several processes may write the same at once
    try:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
