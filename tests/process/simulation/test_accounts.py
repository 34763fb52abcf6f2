"""Where a world says that phones register: over whatever transport, and under whatever name, a customer's file has for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.deployment import Deployment, from_plain, to_plain
from harness.errors import DeploymentError
from harness.integrations import load
from harness.resources import EXAMPLES
from harness.simulation.world import World


def changed(name: str, **accounts: dict[str, Any]) -> Deployment:
    """An example whose accounts have these values besides."""
    plain = to_plain(load(EXAMPLES / f"simulated-{name}.toml"))
    for account, values in accounts.items():
        plain["accounts"][account] |= values
    return from_plain(plain)


def told(deployment: Deployment, directory: Path) -> Deployment:
    """What its world says of itself when it has started."""

    async def run() -> Deployment:
        world = World(deployment, 1, directory)
        try:
            await world.start([])
            return world.tenants[0].deployment
        finally:
            await world.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_the_platform_s_port_is_the_one_for_its_agents_transport(tmp_path: Path, transport: str) -> None:
    """As docs/deployment.md has ``platform.port``; over TLS it was UDP's, where preflight found nobody who speaks TLS."""
    world = told(changed("talkdesk", agents={"transport": transport}), tmp_path)
    agents = world.accounts["agents"]
    assert (world.platform.host, world.platform.port) == (agents.host, agents.port)


@pytest.mark.parametrize("name", ["tele__kom", "__", "a.b__c"])
def test_an_account_s_name_is_any_text(tmp_path: Path, name: str) -> None:
    plain = to_plain(load(EXAMPLES / "simulated-talkdesk.toml"))
    plain["accounts"][name] = plain["accounts"].pop("carrier")
    for phone in plain["phones"].values():
        phone["account"] = name if phone["account"] == "carrier" else phone["account"]
    world = told(from_plain(plain), tmp_path)
    assert world.accounts[name].host
    assert world.accounts[name].port


def test_agents_over_what_the_platform_does_not_speak_are_a_mistake(tmp_path: Path) -> None:
    """The world of such a file ended in a traceback: ``udp`` is what an account has that says nothing."""
    with pytest.raises(DeploymentError) as caught:
        told(changed("gladly", agents={"transport": "udp"}), tmp_path)
    assert str(caught.value) == (
        "accounts.agents.transport: 'udp'; allowed: tls, which alone the simulated platform of gladly speaks"
    )
