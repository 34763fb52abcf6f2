"""SIPVicious (svmap, svwar, svcrack) looks for a way into the simulated world, and finds none."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.world.addresses import Block
from tests.interop.platform import SIPP
from tests.process.world.conftest import RunningWorld
from tools.interop.processes import binary, free_port

Attack = Callable[..., str]


@pytest.fixture
def attack(block: Block, tmp_path: Path) -> Attack:
    """One of the three programs, from an address that is nobody's; gives what it said."""

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [binary(program), "-x", block[SIPP], "-P", str(free_port("0.0.0.0")), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "HOME": str(tmp_path)},
            cwd=tmp_path,
        )
        return done.stdout + done.stderr

    return run


def ports(world: RunningWorld) -> dict[str, tuple[str, int]]:
    """Everything of the world that listens on UDP."""
    deployment = world.deployments[0]
    found = {name: (account.host or "", account.port or 0) for name, account in deployment.accounts.items()}
    for trunk in deployment.trunks:
        if trunk.transport == "udp" and trunk.termination:
            host, _, port = trunk.termination.partition(":")
            found[f"trunk {trunk.name}"] = host, int(port)
    found["synthflow"] = deployment.trunk("udp-ip").host or "", 32681
    return found


def users(world: RunningWorld, directory: Path) -> Path:
    """A dictionary with every real user among others."""
    real = [phone.number or phone.aor_user for phone in world.deployments[0].phones.values()]
    real += [trunk.username for trunk in world.deployments[0].trunks if trunk.username]
    real += [group.did for group in world.deployments[0].groups.values() if group.did]
    path = directory / "users.txt"
    path.write_text("\n".join([*real, "100", "1000", "admin", "00442071234567"]) + "\n")
    return path


def test_svmap_learns_of_no_software(talkdesk: RunningWorld, attack: Attack) -> None:
    for host, port in ports(talkdesk).values():
        for method in ("OPTIONS", "INVITE", "REGISTER"):
            said = attack("svmap", "-m", method, "-p", str(port), host)
            assert "simulated" not in said, said
    assert talkdesk.state()["tenants"][0]["calls"] == []


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_tells_no_user_from_another(talkdesk: RunningWorld, attack: Attack, tmp_path: Path, method: str) -> None:
    dictionary = users(talkdesk, tmp_path)
    names = dictionary.read_text().split()
    for name, (host, port) in ports(talkdesk).items():
        said = attack("svwar", "--force", "-m", method, "-d", str(dictionary), f"udp://{host}:{port}")
        told = dict(re.findall(r"^\| (\S+) +\| (\w+) +\|$", said, re.MULTILINE))
        told.pop("Extension", None)
        # It begins with numbers that it draws itself: what is said of a user has to be said of those.
        drawn = {kind for user, kind in told.items() if user not in names}
        assert {kind for user, kind in told.items() if user in names} <= drawn, f"{name} tells users apart: {said}"
    assert talkdesk.state()["tenants"][0]["calls"] == []
    assert talkdesk.state()["errors"] == []


def test_svcrack_finds_no_password(talkdesk: RunningWorld, attack: Attack) -> None:
    deployment = talkdesk.deployments[0]
    for name, account in deployment.accounts.items():
        phone = next(phone for phone in deployment.phones.values() if phone.account == name)
        user = phone.number or phone.aor_user
        said = attack("svcrack", "-u", user, "-r", "1-300", f"udp://{account.host}:{account.port}")
        assert f"| {user} " not in said, said
    state = talkdesk.state()
    assert state["errors"] == []
    assert not any(state["tenants"][0]["registrations"][who] for who in ("carrier", "platform"))
