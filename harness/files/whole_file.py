"""Files that are there whole or not at all: what a full disk cuts short would be taken for whole by who reads it next."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How the name of a file ends that is not whole yet; it begins with a dot.
PARTIAL = ".part"


def write(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8; what stood there before stays until it is whole. Raises ``OSError``."""
    with writing(path) as partial:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Where to write what is to stand at ``path`` when it is whole; whatever is raised meanwhile, nothing of it stays."""
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")  # several processes may write the same at once
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def is_partial(name: str) -> bool:
    """Whether a file of that name is what a killed process left half written."""
    return name.startswith(".") and name.endswith(PARTIAL)
