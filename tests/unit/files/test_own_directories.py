"""A killed owner's directory goes when the next one is made, and a living one's never does."""

from __future__ import annotations

import fcntl
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


def test_it_may_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    with Scratch(tmp_path / "memory") as own:
        assert own.path.parent == tmp_path / "memory"
    assert list((tmp_path / "memory").iterdir()) == []


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


def test_nobody_finds_it_unlocked_while_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process begins at the worst moment: when the directory is there, and its lock not yet held."""
    real = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        own_directories._remove_abandoned(Path(tempfile.gettempdir()))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with Scratch() as own:
        assert fcntl.flock is real, "the moment came"
        assert own.path.exists()


@pytest.mark.parametrize("owner", ["nobody we know", "another user"])
def test_what_is_not_ours_is_left_alone(directory: Path, monkeypatch: pytest.MonkeyPatch, owner: str) -> None:
    place = directory / "harness-0"
    place.mkdir(mode=0o700)
    if owner == "another user":
        (place / "in-use").touch()
        give_away(place, monkeypatch)
    with Scratch():
        assert place.exists()


def test_a_link_to_an_abandoned_directory_is_not_followed(directory: Path) -> None:
    target = directory / "target"
    target.mkdir(mode=0o700)
    (target / "in-use").touch()
    (directory / "harness-link").symlink_to(target)
    with Scratch():
        assert (target / "in-use").exists()


def test_an_own_directory_is_made_for_this_user_alone(directory: Path) -> None:
    before = os.umask(0)
    try:
        assert own_directories.own(directory / "mine").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
    assert own_directories.own(directory / "mine") == directory / "mine", "and taken again"


def test_a_directory_of_another_user_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "theirs").mkdir(mode=0o700)
    give_away(directory / "theirs", monkeypatch)
    with pytest.raises(PermissionError, match="another user"):
        own_directories.own(directory / "theirs")


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777])
def test_a_directory_that_others_can_enter_is_refused(directory: Path, mode: int) -> None:
    (directory / "open").mkdir()
    (directory / "open").chmod(mode)
    with pytest.raises(PermissionError, match="chmod 700"):
        own_directories.own(directory / "open")


@pytest.mark.parametrize("target", ["mine", "missing"])
def test_a_link_is_no_own_directory(directory: Path, target: str) -> None:
    own_directories.own(directory / "mine")
    (directory / "link").symlink_to(directory / target)
    with pytest.raises(NotADirectoryError, match="a link"):
        own_directories.own(directory / "link")


def test_a_file_is_no_own_directory(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(NotADirectoryError, match="no directory"):
        own_directories.own(directory / "file")


def test_the_runs_of_a_user_share_a_directory_of_temporary_files(directory: Path) -> None:
    assert own_directories.of_this_machine() == directory / f"harness-{os.geteuid()}"
    assert own_directories.of_this_machine() == directory / f"harness-{os.geteuid()}"


@pytest.mark.parametrize("kind", ["another user's", "a link", "a file", "open to others"])
def test_where_its_name_is_taken_the_shared_directory_is_in_the_users_home(
    directory: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("HOME", str(directory / "home"))
    taken = directory / f"harness-{os.geteuid()}"
    if kind == "a link":
        (directory / "target").mkdir()
        taken.symlink_to(directory / "target")
    elif kind == "a file":
        taken.touch()
    else:
        taken.mkdir(mode=0o700)
    if kind == "another user's":
        give_away(taken, monkeypatch)
    if kind == "open to others":
        taken.chmod(0o777)
    found = own_directories.of_this_machine()
    assert found.is_relative_to(directory / "home")
    assert found.stat().st_mode & 0o777 == 0o700
    assert own_directories.of_this_machine() == found


def test_a_shared_file_is_no_link(directory: Path) -> None:
    (directory / "lock").symlink_to(directory / "target")
    with pytest.raises(OSError, match="symbolic links"):
        own_directories.shared_file(directory / "lock")
    assert not (directory / "target").exists()
