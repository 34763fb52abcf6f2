"""What a world makes of a customer's accounts and trunks, and publishes for them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.deployment import Deployment, from_plain, to_plain
from harness.integrations import load
from harness.phone.pool import PhonePool
from harness.sip.uri import Uri
from harness.support.resources import EXAMPLES
from harness.world.tenant import mistakes_of
from harness.world.world import World
from tests.process.world.conftest import CUSTOMER, PATIENCE, Stage, hears, running


def changed(name: str, **accounts: dict[str, Any]) -> Deployment:
    """An example whose accounts have these values besides."""
    plain = to_plain(load(EXAMPLES / f"simulated-{name}.toml"))
    for account, values in accounts.items():
        plain["accounts"][account] |= values
    return from_plain(plain)


def told(deployment: Deployment, directory: Path) -> Deployment:
    """The deployment that its world publishes."""

    async def run() -> Deployment:
        world = World(deployment, 1, directory)
        try:
            await world.start([])
            return world.tenants[0].deployment
        finally:
            await world.stop()

    return asyncio.run(run())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_the_platform_port_is_that_of_the_agents_transport(tmp_path: Path, transport: str) -> None:
    """As docs/deployment.md has ``platform.port``; over TLS it was UDP's, where preflight found no
    TLS listener.
    """
    world = told(changed("talkdesk", agents={"transport": transport}), tmp_path)
    agents = world.accounts["agents"]
    assert (world.platform.host, world.platform.port) == (agents.host, agents.port)


def test_agents_on_an_unsupported_transport_are_a_mistake() -> None:
    """Such a file ended in a traceback; ``udp`` is the default."""
    assert mistakes_of(changed("gladly", agents={"transport": "udp"})) == [
        "accounts.agents.transport: 'udp'; allowed: tls, which alone the simulated platform of gladly speaks"
    ]


def test_a_carrier_account_may_have_a_user_name_and_a_number(
    pool: PhonePool, tmp_path: Path
) -> None:
    """Many carriers do so; the world refused such a REGISTER with 403, and preflight blamed the
    password.
    """
    text = CUSTOMER.read_text(encoding="utf-8")
    for number, user in (("+4915155501001", "2345678e0"), ("+4915155501009", "2345678e9")):
        assert number in text
        text = text.replace(f'number = "{number}"', f'number = "{number}"\nuser = "{user}"')
    file = tmp_path / "customer.toml"
    file.write_text(text, encoding="utf-8")
    with running(file, tmp_path / "world") as world:
        stage = Stage(world, pool, tmp_path)
        mobile = stage.phone("Handy")
        call = stage.dial("people", "zum KI-Anbieter", "test phone 1")
        landed = mobile.expect_call(PATIENCE)
        hears(call, landed.mark)
        hears(landed, call.mark)
        assert "<sip:+4915155501001@" in landed.invite.text
        stage.close()


def test_an_outside_agent_is_shown_the_called_number(pool: PhonePool, tmp_path: Path) -> None:
    """With numbers on several trunks it was the first trunk's, which the file of another trunk does
    not have.
    """
    text = CUSTOMER.read_text(encoding="utf-8")
    for old, new in (
        (
            "[lines.people]\ndid",
            '[[trunks]]\nname = "EU"\ntransport = "tcp"\nport = 32681\n\n[lines.people]\ndids."zum KI-Anbieter"',
        ),
        ('group = "tier-1"\n', 'group = "tier-1"\ndids.EU = "+4930555001444"\n'),
        ("+4940555001444", "+4940555001445"),
        ('did = "+4940555001445"', 'did = "+4940555001445"\ntrunk = "EU"'),
        ('did = "+4922155500100"', 'did = "+4922155500100"\ntrunk = "EU"'),
        ('did = "+4989555001077"', 'did = "+4989555001077"\ntrunk = "EU"'),
        ('number = "+4915155501009"', 'number = "+4915155501009"\nshows = "platform"'),
    ):
        assert old in text, old
        text = text.replace(old, new)
    file = tmp_path / "customer.toml"
    file.write_text(text, encoding="utf-8")
    with running(file, tmp_path / "world") as world:
        stage = Stage(world, pool, tmp_path)
        mobile = stage.phone("Handy")
        stage.dial("people", "EU", "test phone 1")
        assert "<sip:+4930555001444@" in mobile.expect_call(PATIENCE).invite.text
        stage.close()


def test_an_account_for_phones_with_and_without_numbers_is_a_mistake() -> None:
    """The agents of such an account were refused with 403."""
    plain = to_plain(load(EXAMPLES / "simulated-talkdesk.toml"))
    plain["phones"]["billing"]["number"] = "+14155550133"
    assert mistakes_of(from_plain(plain)) == [
        "accounts.agents: billing has a number, support none; allowed in a simulated deployment: an account for "
        "telephones, which is at the carrier, and one for those who have a user alone, which is at the platform"
    ]


def test_settings_for_unknown_names_are_a_mistake() -> None:
    """A misspelt name was ignored."""
    plain = to_plain(load(EXAMPLES / "simulated-gladly.toml"))
    plain["simulated"] = {
        "groups": {"Queue": {"queue_s": 5.0}, "*": {}},
        "lines": {"inbound": {}, "people-": {}},
    }
    first, second = mistakes_of(from_plain(plain))
    assert first.startswith(
        "simulated.groups.Queue: the file has none of that name (perhaps queue); allowed: queue, billing, "
    )
    assert second.startswith(
        "simulated.lines.people-: the file has none of that name (perhaps people); allowed: "
    )
    assert second.endswith(", or * for all others")


@pytest.mark.parametrize(("transport", "port"), [("tcp", 5060), ("tls", 5061), ("tcp", 32681)])
def test_the_ai_answers_at_the_trunk_s_own_port(tmp_path: Path, transport: str, port: int) -> None:
    """It was 32681 and 32682 whatever the file said: no call of an SBC in front of another AI could
    be simulated.
    """
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
                one
                for one in tenant.deployment.trunks
                if one.ai == "synthflow" and one.transport == transport
            )
            ua = tenant.platform.terminations[trunk.name].ua
            uri = Uri("sip", None, trunk.host or "", trunk.port).with_param("transport", transport)
            asked = ua.request("OPTIONS", uri, from_="<sip:platform@pbx.example>")
            return (await asyncio.wait_for(asked, PATIENCE)).status
        finally:
            assert await world.stop()

    assert asyncio.run(run()) == 200
