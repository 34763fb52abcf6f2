"""What a tenant is made of before a call comes: addresses, certificates, faults, numbers, routes,
records.
"""

from __future__ import annotations

import ast
import asyncio
import errno
import socket
from pathlib import Path

import pytest

import harness.world
from harness.deployment import Deployment, from_plain, model, to_plain
from harness.errors import SelectionError
from harness.integrations import load
from harness.sip.uri import Uri
from harness.support.resources import EXAMPLES
from harness.world import addresses
from harness.world.addresses import StartError, take_block
from harness.world.faults import FAULTS, Faults
from harness.world.platform.routing import GroupRoute, Routes
from harness.world.world import World


def deployment(name: str = "talkdesk") -> Deployment:
    return load(EXAMPLES / f"simulated-{name}.toml")


def faults(integration: str = "talkdesk") -> Faults:
    return Faults(integration, frozenset(deployment().lines))


# -- tenants


@pytest.mark.parametrize("name", ["talkdesk", "gladly", "generic"])
def test_a_tenant_checks_its_deployment_once_and_the_filled_in_one_is_valid(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, checks = deployment(name), list[Deployment]()
    monkeypatch.setattr(model, "require_consistent", checks.append)

    async def filled_in() -> Deployment:
        world = World(asked, 1, tmp_path)
        await world.start()
        found = world.tenants[0].deployment
        assert await world.stop()
        return found

    found = asyncio.run(filled_in())
    assert len(checks) == 1
    monkeypatch.undo()
    assert from_plain(to_plain(found)) == found


# -- addresses


def test_a_block_is_exclusive_until_it_is_released() -> None:
    blocks = [take_block() for _ in range(3)]
    assert len({str(block) for block in blocks}) == 3
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        pytest.raises(OSError, match="in use"),
    ):
        other.bind((blocks[0][1].rpartition(".")[0] + ".254", addresses.LOCK_PORT))
    for block in blocks:
        block.release()
    with pytest.raises(IndexError):
        blocks[0][254]


def test_without_loopback_aliases_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unable(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(errno.EADDRNOTAVAIL, "unable")

    monkeypatch.setattr(socket, "socket", Unable)
    with pytest.raises(StartError, match=r"127\.0\.0\.0/8"):
        take_block()


# -- faults


def test_a_fault_holds_for_its_line_or_for_all() -> None:
    switch, changes = faults(), []
    switch.on_change.append(lambda: changes.append(switch.listed()))
    switch.set("from-anonymous", "inbound")
    assert switch.on("from-anonymous", "inbound")
    assert not switch.on("from-anonymous", "ivr")
    switch.set("from-anonymous")
    assert switch.on("from-anonymous", "ivr")
    switch.clear("from-anonymous")
    switch.clear("from-anonymous", "inbound")
    assert not switch
    assert changes == [
        ["from-anonymous@inbound"],
        ["from-anonymous", "from-anonymous@inbound"],
        ["from-anonymous@inbound"],
        [],
    ]
    switch.set("heavy-loss")
    switch.clear_all()
    assert switch.listed() == []


@pytest.mark.parametrize(
    ("integration", "name", "line", "says"),
    [
        ("talkdesk", "nonsense", None, r"not one of talkdesk; `harness faults` lists them$"),
        (
            "talkdesk",
            "rtp-bloked-both",
            None,
            r"not one of talkdesk; did you mean rtp-blocked-both\?$",
        ),
        ("talkdesk", "selector-wrong", None, "one of gladly"),
        (
            "acme",
            "caller-header-missing",
            None,
            "not one of generic",
        ),  # a customer's own integration is an SBC
        ("talkdesk", "password-wrong", "inbound", "whole tenant"),
        ("talkdesk", "from-anonymous", "Inbound", r"no such line; did you mean inbound\?$"),
    ],
)
def test_unknown_faults_and_lines_are_refused(
    integration: str, name: str, line: str | None, says: str
) -> None:
    with pytest.raises(SelectionError, match=says):
        faults(integration).set(name, line)


def test_every_fault_changes_something() -> None:
    """Faults are read by their names, which stand as strings in the world's code."""
    sources = Path(harness.world.__file__).parent.rglob("*.py")
    nodes = (node for source in sources for node in ast.walk(ast.parse(source.read_text())))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert {name.removesuffix("-rejected") for name in FAULTS} <= strings


def test_a_fault_of_one_line_is_asked_for_by_line() -> None:
    """``trunk-inactive@LINE`` was taken, and passed over where the world asked for the whole
    tenant's alone.
    """
    sources = Path(harness.world.__file__).parent.rglob("*.py")
    calls = [
        n
        for source in sources
        for n in ast.walk(ast.parse(source.read_text()))
        if isinstance(n, ast.Call)
    ]
    asked = [
        call.args
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "on"
    ]
    alone = {
        args[0].value for args in asked if len(args) == 1 and isinstance(args[0], ast.Constant)
    }
    assert not {name for name in alone & FAULTS.keys() if FAULTS[name].per_line}


def test_an_extension_is_reached_by_the_ai_alone() -> None:
    plan = deployment()
    group = plan.groups["billing"].model_copy(update={"did": None, "user": "Kundendienst"})
    routes = Routes(plan.model_copy(update={"groups": {**plan.groups, "billing": group}}), faults())
    assert routes.from_ai(Uri.parse("sip:Kundendienst@acme.example;transport=tls")) == GroupRoute(
        "billing"
    )
    assert routes.from_ai(Uri.parse("sip:+18155550102@acme.example")) == GroupRoute("support")
    assert routes.from_ai(Uri.parse("sip:kundendienst@acme.example")) is None
    assert routes.find("Kundendienst") is None
