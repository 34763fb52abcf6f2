"""Directories that belong to this user alone: under the system's temporary files, or in memory.

Other users can create any name in a shared temporary folder first, also as a link. So a directory
with a predictable name is used only after :func:`own` has checked it. A :class:`Scratch` has a
random name. A process that is killed leaves its scratch directory behind, so each is locked while
its owner lives, and creating one removes those whose lock the kernel has released. A directory
without such a lock is never touched.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_PREFIX: Final = "harness-"
_LOCK: Final = "in-use"
#: Where POSIX's shared memory is (shm_overview(7)): what lies here never waits for a disk.
MEMORY: Final = Path("/dev/shm")


def temporary(name: str = "") -> Path:
    """The system's folder of temporary files, or what has that name there. Raises OSError where
    there is none.
    """
    return Path(tempfile.gettempdir()) / name


def own(path: Path) -> Path:
    """``path``, made with mode 0700 when missing. Raises OSError unless it is a real directory that
    only this user can enter.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    require_own(path)
    return path


def own_below(path: Path) -> Path:
    """The same where a user chose the place. Raises OSError as well if another user could put a
    directory of theirs in its place, or in that of one above it.
    """
    real = Path(os.path.realpath(path.parent))
    for above in (real, *real.parents):
        found = above.stat()
        may_write = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
        if may_write or found.st_uid not in (0, os.geteuid()):
            raise PermissionError(
                errno.EPERM, f"Other users can change {above} (chmod go-w)", str(path)
            )
    return own(path)


def require_own(path: Path) -> None:
    """Raise OSError unless ``path`` is a directory, no link, of this user, with mode 0700."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        what = "It is a link" if stat.S_ISLNK(found.st_mode) else "It is no directory"
        raise NotADirectoryError(errno.ENOTDIR, what, str(path))
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "It belongs to another user", str(path))
    if found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "Other users can enter it (chmod 700)", str(path))


def of_this_machine() -> Path:
    """The directory that all of a user's runs on this machine share. Raises OSError.

    Where something else has its name in the temporary folder, another user's or a link, it is in
    the user's home.
    """
    path = temporary(f"{_PREFIX}{os.geteuid()}")
    try:
        return own(path)
    except (PermissionError, NotADirectoryError):
        if not os.path.lexists(path):
            raise
        caches = Path(os.path.expanduser("~")) / ".cache"  # without a home Path.home() raises
        caches.mkdir(mode=0o700, parents=True, exist_ok=True)
        return own(
            caches / f"{_PREFIX}{os.uname().nodename}"
        )  # homes may be shared between machines


def shared_file(path: Path) -> int:
    """A descriptor of a small file that processes share (a lock, a heartbeat), made when missing; a
    link is not followed.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def new_file(name: str, suffix: str, text: str) -> Path:
    """A new file among the temporary ones, of this user alone and with a random name, that holds
    ``text`` and stays.
    """
    descriptor, path = tempfile.mkstemp(prefix=f"{_PREFIX}{name}-", suffix=suffix)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(path)


class Scratch:
    """A directory that is its owner's alone, up to :meth:`close`. The owner's forks hold it as
    well, until the last has ended.

    It goes with :meth:`close` and not with a process: a ``TemporaryDirectory`` would end with any
    fork.
    """

    def __init__(self, base: Path | None = None) -> None:
        """Make it in ``base``, or where temporary files are, and remove those of dead owners there.
        Raises OSError.
        """
        base = base or temporary()
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
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _lock_in(directory: Path) -> int:
    """A lock file that gets its name only once it is locked, so that other processes never see it
    unlocked.
    """
    unnamed = directory / f"{_LOCK}.new"
    lock = shared_file(unnamed)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unnamed.rename(directory / _LOCK)
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove_abandoned(base: Path) -> None:
    for directory in base.glob(f"{_PREFIX}*"):
        with (
            contextlib.suppress(OSError),
            _released(directory),
        ):  # still locked, or just removed by another process
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _released(directory: Path) -> Iterator[None]:
    """Hold the lock of an owner that has died. Raises OSError where it lives, and where the
    directory is not this user's.
    """
    require_own(directory)
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)
