"""``reports/latest``: a link to the newest finished run."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from harness.errors import HarnessError

LATEST = "latest"
#: How a file system says that it has no symbolic links, as those of Windows do.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def point_latest(run: Path) -> bool:
    """Let ``latest`` point to this run, in one atomic step; of two runs that end at once, the later one wins.

    False where the file system has no links: the run is none the worse for it.
    """
    link = run.parent / LATEST
    fresh = run.parent / f".{LATEST}.{run.name}"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    try:
        fresh.symlink_to(run.name)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    try:
        fresh.replace(link)
    except IsADirectoryError as error:
        fresh.unlink()
        raise HarnessError(f"{link}: is a directory, and should be a link to the newest run; move it away") from error
    return True
