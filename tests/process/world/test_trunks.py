"""The AI's end of each trunk, which is where a customer's file has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.deployment import from_plain, to_plain
from harness.integrations import load
from harness.sip.uri import Uri
from harness.support.resources import EXAMPLES
from harness.world.world import World
from tests.process.world.conftest import PATIENCE


@pytest.mark.parametrize(("transport", "port"), [("tcp", 5060), ("tls", 5061), ("tcp", 32681)])
def test_the_ai_answers_at_the_trunk_s_own_port(tmp_path: Path, transport: str, port: int) -> None:
    """It was 32681 and 32682 whatever the file said: no call of an SBC in front of another AI could be simulated."""
    plain = to_plain(load(EXAMPLES / "simulated-generic.toml"))
    for trunk in plain["trunks"]:
        if trunk["ai"] == "synthflow" and trunk["transport"] == transport:
            trunk["port"] = port

    async def run() -> int:
        world = World(from_plain(plain), 1, tmp_path)
        await world.start()
        try:
            tenant = world.tenants[0]
            trunk = next(
                one for one in tenant.deployment.trunks if one.ai == "synthflow" and one.transport == transport
            )
            ua = tenant.platform.terminations[trunk.name].ua
            uri = Uri("sip", None, trunk.host or "", trunk.port).with_param("transport", transport)
            asked = ua.request("OPTIONS", uri, from_="<sip:platform@pbx.example>")
            return (await asyncio.wait_for(asked, PATIENCE)).status
        finally:
            assert await world.stop()

    assert asyncio.run(run()) == 200
