"""Phones whose processes are forked: they are as those that are started each for itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.phone.pool import PhonePool
from harness.phone.process import PhoneForkServer
from tests.process.alive import alive, gone
from tests.process.forkserver.memories import SECRET, remembers
from tests.process.phone.conftest import Desk, connect, hears
from tools.soak.processes import parent_of


@pytest.fixture
def fork_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PhoneForkServer]:
    monkeypatch.setenv("CARRIER_PW", SECRET)
    fork_server = PhoneForkServer()
    yield fork_server
    fork_server.close()


@pytest.fixture
def desk(fork_server: PhoneForkServer, tmp_path: Path) -> Iterator[Desk]:
    with PhonePool(tmp_path, fork_server=fork_server.path) as pool:
        desk = Desk(pool, tmp_path)
        yield desk
        desk.close()


def test_phones_of_a_fork_server_call_and_hear_each_other(
    fork_server: PhoneForkServer, desk: Desk
) -> None:
    alice, bob = desk("alice"), desk("bob", max_calls=desk.process_holds)
    pids = {alice.process.pid, bob.process.pid}
    assert len(pids) == 2
    assert {parent_of(pid) for pid in pids} == {fork_server.pid}
    out, back = connect(alice, bob)
    hears(out, back)
    hears(back, out)


def test_no_secret_is_in_a_forked_phones_memory_or_environment(
    fork_server: PhoneForkServer, desk: Desk
) -> None:
    pid = desk("alice").process.pid
    assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert not remembers(fork_server.pid, SECRET)


def test_where_the_fork_server_is_gone_phones_are_started(
    fork_server: PhoneForkServer, desk: Desk
) -> None:
    os.kill(fork_server.pid, signal.SIGKILL)
    assert gone(fork_server.pid)
    alice, bob = desk("alice"), desk("bob")
    hears(*connect(alice, bob))


def test_with_the_pool_and_the_fork_server_all_processes_end(tmp_path: Path) -> None:
    fork_server = PhoneForkServer()
    with PhonePool(tmp_path, fork_server=fork_server.path) as pool:
        desk = Desk(pool, tmp_path)
        desk("alice")
        pids = [*pool.pids, fork_server.pid]
        desk.close()
    fork_server.close()
    assert not any(map(alive, pids))
    assert not fork_server.path.parent.exists()
