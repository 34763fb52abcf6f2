"""Runs' directories that came from somebody else: nothing outside of them is read into a view, or written by one."""

from __future__ import annotations

import os
from pathlib import Path

from harness.deployment.limits import try_lease
from harness.errors import MistakeError

#: A run that is under way, or was killed, has a link of this name; no view is made of what it leads to. There, the lock of a file is
#: held by the run's process as long as it lives.
_CONTROL, _RUNNER = "control", "runner"
#: One of these is in each run's directory: of a run that ended, has begun, or was never more than cases.
_OF_A_RUN = ("run.json", "scope.json", "cases")
#: Levels of directories. A run and Allure's report have up to four; Python's own walks end in a RecursionError at a thousand.
_DEEPEST = 32


def require_run(directory: Path) -> None:
    """Refuse what is no run's directory, and one as :func:`require_files` does. Raises :class:`MistakeError`."""
    if not any(os.path.exists(directory / name) for name in _OF_A_RUN):
        what = "not a run's directory" if os.path.exists(directory) else "no such directory"
        raise MistakeError(f"{directory}: {what}; allowed: a run's directory, e.g. reports/latest")
    require_files(directory.resolve())


def require_ended(directory: Path) -> None:
    """Refuse a run that goes on: what it has not come to would be told as broken. Raises :class:`MistakeError`."""
    lock = directory / _CONTROL / _RUNNER
    if not lock.exists():
        return
    held = try_lease(lock, shared=True)
    if held is None:
        raise MistakeError(f"{directory}: this run is still under way; allowed: one that has ended")
    held.release()


def require_files(directory: Path) -> None:
    """Refuse a run's or a case's directory that holds anything but files and directories. Raises :class:`MistakeError`.

    A view is written where a link leads, a pipe is waited for without end, and what a link shows is handed on with the rest.
    """
    waiting = [(directory, 0)]
    while waiting:
        here, depth = waiting.pop()
        if depth > _DEEPEST:
            raise MistakeError(
                f"{directory}: has directories more than {_DEEPEST} levels deep; allowed: as the run wrote it"
            )
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise MistakeError(f"{here}: cannot be read: {error.strerror}") from error
        for entry in entries:
            path = Path(entry.path)
            if path == directory / _CONTROL:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append((path, depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                what = "a link" if entry.is_symlink() else "no file"
                raise MistakeError(f"{path}: is {what}; allowed in the directory of a run: files and directories")


def inside(directory: Path, name: str) -> Path | None:
    """The file of that name in ``directory``; None when it leads out of it."""
    path = Path(os.path.normpath(directory / name))
    return path if path.is_relative_to(os.path.normpath(directory)) else None
