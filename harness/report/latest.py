"""``reports/latest``: a link to the newest finished run."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

LATEST = "latest"
#: How a file system says that it has no symbolic links, as those of Windows do.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def point_latest(run: Path) -> str:
    """Let ``latest`` point to this run, in one atomic step; of two runs that end at once, the later one wins.

    Returns a line that says why there is no such link, or nothing: the run is none the worse for it.
    """
    link = run.parent / LATEST
    fresh = run.parent / f".{LATEST}.{run.name}"
    if os.path.lexists(link) and not link.is_symlink():
        return f"{link}: is not a link to the newest run, and is left as it is; move it away"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    try:
        fresh.symlink_to(run.name)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return f"{link}: not made, since this file system has no links"
        raise
    fresh.replace(link)
    return ""
