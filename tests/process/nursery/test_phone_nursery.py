"""Phones whose processes are forked: they are as those that are started each for itself."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import PhoneLostError
from harness.phone.nursery import PhoneNursery
from harness.phone.pool import PhonePool
from tests.process.phone.conftest import Desk, connect, hears
from tests.process.phone.test_lifetime import alive, gone
from tools.soak.processes import parent_of

SECRET = "correct-horse-battery"


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhoneNursery]:
    monkeypatch.setenv("CARRIER_PW", SECRET)
    nursery = PhoneNursery()
    yield nursery
    nursery.close()


@pytest.fixture
def desk(nursery: PhoneNursery, tmp_path: Path) -> Iterator[Desk]:
    with PhonePool(tmp_path, nursery=nursery.path) as pool:
        desk = Desk(pool, tmp_path)
        yield desk
        desk.close()


def remembers(pid: int, secret: str) -> bool:
    """Whether it stands anywhere in that process's memory."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_, name = [*line.split(), ""]
            if rights.startswith("rw") and name not in ("[vvar]", "[vsyscall]"):
                begin, end = (int(place, 16) for place in span.split("-"))
                memory.seek(begin)
                with contextlib.suppress(OSError):  # given back meanwhile
                    if secret.encode() in memory.read(end - begin):
                        return True
    return False


def test_phones_of_a_nursery_call_and_hear_each_other(nursery: PhoneNursery, desk: Desk) -> None:
    alice, bob = desk("alice"), desk("bob", max_calls=desk.process_holds)
    pids = {alice.process.pid, bob.process.pid}
    assert len(pids) == 2
    assert {parent_of(pid) for pid in pids} == {nursery.pid}
    out, back = connect(alice, bob)
    hears(out, back)
    hears(back, out)


def test_no_secret_is_in_a_forked_phones_memory_or_environment(nursery: PhoneNursery, desk: Desk) -> None:
    pid = desk("alice").process.pid
    assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert not remembers(nursery.pid, SECRET)


def test_how_a_forked_phone_died_is_told(desk: Desk) -> None:
    alice = desk("alice")
    os.kill(alice.process.pid, signal.SIGABRT)
    with pytest.raises(PhoneLostError, match="SIGABRT") as caught:
        alice.next_call(10)
    assert "pjsua_core" in str(caught.value)


def test_a_forked_phone_that_hangs_is_ended(desk: Desk) -> None:
    pid = desk("alice").process.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(PhoneLostError, match="has not stirred"):
        desk.phones[0].next_call(20)
    assert gone(pid)


def test_where_the_nursery_is_gone_phones_are_started(nursery: PhoneNursery, desk: Desk) -> None:
    os.kill(nursery.pid, signal.SIGKILL)
    assert gone(nursery.pid)
    alice, bob = desk("alice"), desk("bob")
    hears(*connect(alice, bob))


def test_with_the_pool_and_the_nursery_all_processes_end(tmp_path: Path) -> None:
    nursery = PhoneNursery()
    with PhonePool(tmp_path, nursery=nursery.path) as pool:
        desk = Desk(pool, tmp_path)
        desk("alice")
        pids = [*pool.pids, nursery.pid]
        desk.close()
    nursery.close()
    assert not any(map(alive, pids))
    assert not nursery.path.parent.exists()
