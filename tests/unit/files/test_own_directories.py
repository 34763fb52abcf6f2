"""A killed owner's directory goes when the next one is made, and a living one's never does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.deployment.limits import released
from harness.support.files import own_directories
from harness.support.files.own_directories import Scratch
from tests.ownership import give_away

#: Says where its directory is; with an argument, a fork of it lives on.
OWNER = """
import os, sys
from harness.support.files.own_directories import Scratch
print(Scratch().path, flush=True)
if len(sys.argv) > 1 and os.fork():
    os._exit(0)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


Start = Callable[..., tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """A process that has a scratch directory; it ends with its standard input."""
    with ExitStack() as stack:

        def owner(*arguments: str) -> tuple[subprocess.Popen[str], Path]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", OWNER, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "TMPDIR": str(directory)},
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            return process, Path(process.stdout.readline().rstrip())

        yield owner


def test_a_killed_owners_is_removed_by_the_next_and_a_living_ones_is_not(start: Start) -> None:
    (killed, left), (_, living) = start(), start()
    (left / "deep").mkdir()
    (left / "deep" / "socket").touch()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert left.exists()
    with Scratch() as own:
        assert not left.exists()
        assert living.exists()
        with Scratch():
            assert own.path.exists(), "of one process as well"


def test_it_is_in_use_as_long_as_a_fork_of_its_owner(start: Start) -> None:
    process, path = start("fork")
    process.wait()
    with Scratch():
        assert path.exists()
    assert process.stdin is not None
    process.stdin.close()
    released(path / "in-use")
    with Scratch():
        assert not path.exists()


def test_it_goes_when_it_is_closed(directory: Path) -> None:
    with Scratch() as own:
        (own.path / "socket").touch()
        assert own.path.stat().st_mode & 0o777 == 0o700
    own.close()
    assert list(directory.iterdir()) == []


#: How something else may have the name of a directory: the error of :func:`own_directories.own`,
#: and what it says.
TAKEN = {
    "another user's": (PermissionError, "another user"),
    "open to others": (PermissionError, "chmod 700"),
    "a link": (NotADirectoryError, "a link"),
    "a file": (NotADirectoryError, "no directory"),
}


def take(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "a link":
        (path.parent / "target").mkdir(mode=0o700)
        (path.parent / "target" / "in-use").touch()
        path.symlink_to(path.parent / "target")
    elif how == "a file":
        path.touch()
    else:
        path.mkdir(mode=0o700)
        (path / "in-use").touch()
    if how == "another user's":
        give_away(path, monkeypatch)
    if how == "open to others":
        path.chmod(0o777)


@pytest.mark.parametrize("how", TAKEN)
def test_what_another_has_made_is_neither_used_nor_removed(
    directory: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("HOME", str(directory / "home"))
    taken = directory / f"harness-{os.geteuid()}"
    take(taken, how, monkeypatch)
    error, said = TAKEN[how]
    with pytest.raises(error, match=said):
        own_directories.own(taken)
    found = own_directories.of_this_machine()
    assert found.is_relative_to(directory / "home"), "the directory that runs share is elsewhere"
    assert found.stat().st_mode & 0o777 == 0o700
    assert own_directories.of_this_machine() == found
    with Scratch():
        assert os.path.lexists(taken)
        assert how != "a link" or (directory / "target" / "in-use").exists()


def test_the_runs_of_a_user_share_a_directory_of_this_user_alone(directory: Path) -> None:
    before = os.umask(0)
    try:
        shared = own_directories.of_this_machine()
    finally:
        os.umask(before)
    assert shared == directory / f"harness-{os.geteuid()}" == own_directories.of_this_machine()
    assert shared.stat().st_mode & 0o777 == 0o700


def test_a_directory_without_a_lock_is_left_alone(directory: Path) -> None:
    (directory / "harness-0").mkdir(mode=0o700)
    with Scratch():
        assert (directory / "harness-0").exists()


def test_a_shared_file_is_no_link(directory: Path) -> None:
    (directory / "lock").symlink_to(directory / "target")
    with pytest.raises(OSError, match="symbolic links"):
        own_directories.shared_file(directory / "lock")
    assert not (directory / "target").exists()
