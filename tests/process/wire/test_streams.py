"""TCP and TLS: segments, keep-alive, reuse, loss of a connection, certificates."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.world.wire.call import IncomingRequest
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.transport import TransportName
from tests.loopback import fresh_address
from tests.process.wire.conftest import provisional


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_calls_share_a_connection_and_the_callee_uses_it_back(
    nodes: Any, transport: TransportName
) -> None:
    caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
    for _ in range(3):
        _, theirs = await nodes.connected(caller, callee)
        assert (await theirs.bye()).status == 200
    assert len(caller.transport.flows()) == len(callee.transport.flows()) == 1


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_registered_flow_is_used_for_calls_to_it(
    nodes: Any, transport: TransportName
) -> None:
    """Pitfall of phones behind TCP: only the connection they opened leads to them."""

    phone, platform = (
        await nodes.answering("phone", transport),
        await nodes.ua("platform", transport),
    )
    bindings: list[Any] = []

    async def register(incoming: IncomingRequest) -> None:
        bindings.append(incoming.flow)
        incoming.respond(200, headers=[("Contact", incoming.request.get("Contact") or "")])

    platform.on("REGISTER", register)
    hop = platform.listening[0]
    response = await phone.request(
        "REGISTER",
        f"sip:{hop.address}:{hop.port}",
        from_="<sip:phone@example.com>",
        to="<sip:phone@example.com>",
        hop=hop,
        headers=[
            ("Contact", "<sip:phone@192.0.2.1:9;transport=tcp>")
        ],  # leads nowhere, as behind NAT
    )
    assert response.status == 200
    call = platform.invite(
        "sip:phone@192.0.2.1:9;transport=tcp",
        from_="<sip:+12065550100@example.com>",
        flow=bindings[0],
        sdp=nodes.offer,
    )
    await call.wait_answered(5)
    assert (await call.bye()).status == 200
    assert len(platform.transport.flows()) == 1


async def test_a_lost_connection_fails_what_waits_on_it(nodes: Any) -> None:
    caller, callee = await nodes.ua("caller", "tcp"), await nodes.ua("callee", "tcp")
    taken = nodes.taking(callee, answers=False)
    call = nodes.dial(caller, callee)
    await provisional(call, 5)
    callee.transport.flows()[0].reset()
    with pytest.raises(CallFailedError) as caught:
        await call.wait_answered(5)
    assert caught.value.end.how is How.UNREACHABLE
    (await taken.get()).reject(480)


async def test_a_dialog_survives_the_loss_of_its_connection(nodes: Any) -> None:
    """The next request opens a new one, to the address in the peer's Contact."""

    caller, callee = await nodes.ua("caller", "tcp"), await nodes.ua("callee", "tcp")
    call, _ = await nodes.connected(caller, callee)
    (flow,) = caller.transport.flows()
    flow.close()
    async with asyncio.timeout(5):
        while flow.is_open:  # noqa: ASYNC110 - nothing reports its end
            await asyncio.sleep(0)
    assert (await call.bye()).status == 200


@pytest.mark.parametrize("days", [1, -1])
async def test_the_servers_certificate_is_verified(nodes: Any, days: int) -> None:
    """One that names another, and one that has expired; the good one is in all other tests."""

    caller = await nodes.ua("caller", "tls")
    host = fresh_address() if days > 0 else "127.0.0.1"
    callee = await nodes.answering("callee", "tls", tls=nodes.identity(host, days=days))
    with pytest.raises(CallFailedError) as caught:
        await nodes.dial(caller, callee).wait_answered(5)
    assert caught.value.status == 503
    assert "certificate" in caught.value.reason
    assert nodes.starts("callee", "received", "INVITE") == []
