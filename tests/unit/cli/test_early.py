"""What `harness verify` begins before it has read its command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.run.cli import early
from harness.support.forkserver.process import ForkServer
from harness.support.resources import EXAMPLES

SIMULATED, LIVE = str(EXAMPLES / "simulated-gladly.toml"), str(EXAMPLES / "live-large.toml")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["verify"], True),
        (["verify", SIMULATED, "--row", "TD-INBOUND"], True),
        (["verify", "simulated-gladly"], True),
        (["verify", LIVE, SIMULATED], True),
        (["verify", LIVE, "--live"], False),
        (["verify", SIMULATED, "--plan"], False),
        (["verify", "--help"], False),
        (["preflight", SIMULATED], False),
        ([], False),
    ],
)
def test_there_is_a_fork_server_where_worlds_will_be_asked_for(arguments: list[str], expected: bool) -> None:
    with early.begun(arguments):
        fork_server = early.world_fork_server()
        assert isinstance(fork_server, ForkServer) is expected
    assert early.world_fork_server() is None
    if fork_server:
        with pytest.raises(ProcessLookupError):
            os.kill(fork_server.pid, 0)
        assert not fork_server.path.parent.exists()


def test_it_ends_with_the_command_whatever_ends_that() -> None:
    places: list[Path] = []

    def interrupted() -> None:
        with early.begun(["verify"]):
            fork_server = early.world_fork_server()
            assert fork_server is not None
            places.append(fork_server.path.parent)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not places[0].exists()


def test_a_file_that_cannot_be_read_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b'\xffkind = "simulated"')
    with early.begun(["verify", str(tmp_path / "odd.toml")]):
        assert early.world_fork_server() is None
