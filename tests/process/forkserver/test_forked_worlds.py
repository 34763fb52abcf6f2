"""Worlds whose processes are forked: to the run they are as those that are started each for itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.integrations import load
from harness.run.plugin.worlds import Worlds, heartbeat
from harness.support.forkserver import ForkServer, of_a_child
from harness.support.heartbeat import Listener
from harness.support.resources import EXAMPLES
from tests.process.alive import gone
from tests.process.forkserver.memories import SECRET, remembers
from tools.soak.processes import parent_of

FILE = EXAMPLES / "simulated-gladly.toml"


@pytest.fixture
def fork_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.setenv("TALKDESK_PW", SECRET)
    fork_server = ForkServer("harness.world.world", of_a_child())
    yield fork_server
    fork_server.close()


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    worlds = Worlds(tmp_path)
    yield worlds
    worlds.stop()


def started(worlds: Worlds, fork_server: ForkServer) -> Sequence[Deployment]:
    deployment = load(FILE)
    return worlds.start(
        [(FILE, deployment)], tenants=2, timings="quick", faults=(), fork_server=fork_server.path
    )[deployment.name]


def pid_in(control: Path) -> int:
    """The world's own: who stands for it has another."""
    beat = Listener(heartbeat(control, load(FILE).name)).look()
    assert beat is not None
    return beat.pid


def test_it_comes_from_there_and_ends_in_order(
    fork_server: ForkServer, worlds: Worlds, tmp_path: Path
) -> None:
    tenants = started(worlds, fork_server)
    pid = pid_in(tmp_path)
    assert len(tenants) == 2
    assert parent_of(pid) == fork_server.pid
    assert worlds.stop() == []
    assert gone(pid)


def test_it_knows_no_secret(fork_server: ForkServer, worlds: Worlds, tmp_path: Path) -> None:
    started(worlds, fork_server)
    for pid in (fork_server.pid, pid_in(tmp_path)):
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert not remembers(pid, SECRET)


def test_where_the_fork_server_is_gone_a_world_is_started(
    fork_server: ForkServer, worlds: Worlds
) -> None:
    os.kill(fork_server.pid, signal.SIGKILL)
    assert gone(fork_server.pid)
    assert len(started(worlds, fork_server)) == 2
