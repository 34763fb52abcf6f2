"""Directories under the system's temporary files, or in memory, for what lives as long as the process that made them.

A process that is killed leaves its directory behind. So each is locked while its owner lives, and whoever makes one removes those
whose lock the kernel has released. A directory without such a lock is never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_PREFIX: Final = "harness-"
_LOCK: Final = "in-use"
#: Where POSIX's shared memory is (shm_overview(7)): what lies here never waits for a disk.
MEMORY: Final = Path("/dev/shm")


class Scratch:
    """A directory that is its owner's alone, up to :meth:`close`. The owner's forks hold it as well, until the last has ended.

    It goes with :meth:`close` and not with a process: a ``TemporaryDirectory`` would end with any fork.
    """

    def __init__(self, base: Path | None = None) -> None:
        """Make it in ``base``, or where temporary files are, and remove those of dead owners there. Raises OSError."""
        base = base or Path(tempfile.gettempdir())
        _remove_abandoned(base)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        try:
            self._lock = _lock_in(self.path)
        except OSError:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def close(self) -> None:
        """Remove it with all that is in it; harmless when done twice."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lock_in(directory: Path) -> int:
    """A lock that has its name only once it is held, so that nobody finds it free meanwhile."""
    unnamed = directory / f"{_LOCK}.new"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unnamed.rename(directory / _LOCK)
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove_abandoned(base: Path) -> None:
    for directory in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _released(directory):  # whoever holds it, or has just removed it, may
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _released(directory: Path) -> Iterator[None]:
    """Hold the lock of an owner that has died. Raises OSError where it lives, and where the directory is not ours."""
    if directory.lstat().st_uid != os.getuid():
        raise PermissionError(f"{directory}: it is another user's")
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)
