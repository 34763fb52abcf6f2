from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness.deployment import Limits, limits
from harness.deployment.limits import (
    LEG_MARKS,
    MARKS_A_WORKER,
    MOST_WORKERS,
    CallGate,
    Lease,
    Marks,
    address,
    lease,
    place,
    try_lease,
)
from harness.errors import ResourceError
from tests.ownership import give_away

HOLDER = """
import sys, time
from pathlib import Path
from harness.deployment.limits import lease
held = lease([Path(sys.argv[1])])
print("held", flush=True)
time.sleep(60)
"""


def held_elsewhere(path: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lease of ``path`` until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


# Leases


def test_second_run_waits_for_the_address_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said, taken = threading.Event(), threading.Event()
    first = address("192.0.2.80:32681/udp", lambda: pytest.fail("nobody has it"))

    def second() -> None:
        with address("192.0.2.80:32681/udp", said.set):
            taken.set()

    with address("192.0.2.80:32682/tls", lambda: pytest.fail("another address")):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert said.wait(20)
        assert not taken.is_set()
        first.release()
        assert taken.wait(20)
        waiting.join()


def test_lease_takes_the_first_free_path(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    with lease(paths) as first, lease(paths) as second:
        assert (first.index, second.index) == (0, 1)
        assert try_lease(paths[0]) is None
    with lease(paths) as again:
        assert again.index == 0


def test_lock_files_are_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The names of the lock files are predictable."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    umask = os.umask(0)
    try:
        with (
            lease([tmp_path / "a"]),
            place(1),
            address("192.0.2.80:32681/udp", lambda: pytest.fail("nobody has it")),
        ):
            found = {
                path.name: path.stat().st_mode & 0o777
                for path in tmp_path.rglob("*")
                if path.name != "tmp"
            }
    finally:
        os.umask(umask)
    machine = found.pop(f"harness-{os.getuid()}")
    assert machine == 0o700
    assert len(found) == 4
    assert set(found.values()) == {0o600}


def test_file_removed_before_it_is_locked_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """tmpfiles.d(5) or another run may remove it; the next process would then lock a new file of
    that name.
    """
    path, open_, opened = tmp_path / "a", os.open, list[int]()

    def tidied(*arguments: Any) -> int:
        opened.append(open_(*arguments))
        if len(opened) == 1:
            path.unlink()
        return opened[-1]

    monkeypatch.setattr(os, "open", tidied)
    with lease([path]):
        assert try_lease(path) is None
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_link_in_place_of_the_lock_directory_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Old files in its target would be deleted."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    target = tmp_path / "target"
    target.mkdir()
    (target / "address-of-grandmother").touch()
    os.utime(target / "address-of-grandmother", (time.time() - 9 * 86400,) * 2)
    (tmp_path / f"harness-{os.geteuid()}").symlink_to(target)
    place(1).release()
    assert [path.name for path in target.iterdir()] == ["address-of-grandmother"]


def test_lock_directory_of_another_user_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    taken = tmp_path / f"harness-{os.geteuid()}"
    taken.mkdir()
    give_away(taken, monkeypatch)
    with place(1):
        assert list(taken.iterdir()) == []


def test_of_those_that_wait_for_a_place_one_looks_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    looks: list[int] = []

    def look(path: Path, index: int = 0, *, shared: bool = False) -> Lease | None:
        if path.name.startswith("place-"):
            looks.append(threading.get_ident())
        return try_lease(path, index, shared=shared)

    with place(1):
        monkeypatch.setattr(limits, "try_lease", look)
        waiting = [threading.Thread(target=lambda: place(1).release()) for _ in range(3)]
        for thread in waiting:
            thread.start()
        while len(looks) < 30:
            time.sleep(0.001)
    for thread in waiting:
        thread.join()
    assert looks == sorted(looks, key=looks.index), "in turn"


def test_lease_of_a_killed_process_is_free(tmp_path: Path) -> None:
    holder = held_elsewhere(tmp_path / "a")
    assert try_lease(tmp_path / "a") is None
    holder.send_signal(signal.SIGKILL)
    with lease([tmp_path / "a"]) as mine:
        assert mine.index == 0
    holder.communicate()


def test_signal_handler_may_raise_while_waiting_for_a_lease(tmp_path: Path) -> None:
    holder = held_elsewhere(tmp_path / "a")
    main = threading.get_ident()

    def interrupt(signum: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGUSR2, interrupt)

    def interrupted() -> None:
        threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR2)).start()
        lease([tmp_path / "a"])

    try:
        with pytest.raises(TimeoutError):
            interrupted()
    finally:
        signal.signal(signal.SIGUSR2, before)
        end(holder)


def test_missing_temporary_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(ResourceError, match="places cannot be kept"):
        place(2)


# Marks


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 8, MOST_WORKERS])
def test_workers_never_share_a_mark(slots: int) -> None:
    blocks = [set(_all(Marks(slot, slots, draw=7))) for slot in range(slots)]
    assert set().union(*blocks) == set(range(LEG_MARKS))
    assert sum(map(len, blocks)) == LEG_MARKS
    assert min(map(len, blocks)) >= MARKS_A_WORKER


def _all(marks: Marks) -> list[int]:
    found: list[int] = []

    def hand_out() -> None:
        for mark in marks.of_case():
            found.append(mark)  # keep the marks before the error

    with pytest.raises(ResourceError, match="no mark is left"):
        hand_out()
    return found


def test_marks_of_consecutive_cases_differ() -> None:
    marks = Marks(0, MOST_WORKERS, draw=7)
    first, second = marks.of_case(), marks.of_case()
    one = [next(first) for _ in range(4)]
    other = [next(second) for _ in range(4)]
    assert len(set(one + other)) == 8


def test_marks_are_drawn_for_each_run() -> None:
    """A stranger who counts 0, 1, 2 … at an RTP port must not hit the expected mark."""
    runs = [_all(Marks(0, 8, draw)) for draw in range(20)]
    assert len({tuple(run) for run in runs}) == 20
    assert _all(Marks(0, 8, 3)) == runs[3]
    assert not any(run == sorted(run) for run in runs)


# The gate


def gate(directory: Path, **limits: float) -> CallGate:
    return CallGate(
        directory,
        Limits.model_validate({"calls_per_second": 1000.0, "calls_per_run": 100, **limits}),
    )


@pytest.mark.parametrize(
    "books", ["", "{", "[]", '{"placed": "many", "next": 0}', '{"placed": 1, "wages": 2}']
)
def test_unreadable_books_refuse_the_call(tmp_path: Path, books: str) -> None:
    calls = gate(tmp_path, concurrent_calls=1)
    (tmp_path / "books.json").write_text(books)
    with pytest.raises(ResourceError, match="so no call is placed"):
        calls.admit(1)
    assert try_lease(tmp_path / "call-0") is not None


def test_unwritable_books_refuse_the_call(tmp_path: Path) -> None:
    calls = gate(tmp_path)
    (tmp_path / f".books.json.{os.getpid()}.part").mkdir()
    with pytest.raises(ResourceError, match="cannot be kept"):
        calls.admit(1)


def test_children_do_not_inherit_a_lease(tmp_path: Path) -> None:
    held = lease([tmp_path / "a"])
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    held.release()
    try:
        with lease([tmp_path / "a"]) as again:
            assert again.index == 0
    finally:
        child.communicate(b"\n")
