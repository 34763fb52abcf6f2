"""TCP and TLS: segments, keep-alive, reuse, loss of a connection, certificates."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.sip.message import Message, Response
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import IncomingRequest
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.transport import TransportName
from tests.loopback import fresh_address
from tests.process.wire.conftest import provisional


def options(target: UserAgent, *, call_id: str = "split", extra: str = "Content-Length: 0\r\n") -> bytes:
    host, port = target.local("tcp").sockaddr
    return (
        f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/TCP {host}:1;branch=z9hG4bK{call_id};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n{extra}\r\n"
    ).encode()


async def read_response(reader: asyncio.StreamReader) -> Response:
    async with asyncio.timeout(5):
        message = Message.parse(await reader.readuntil(b"\r\n\r\n"))
    assert isinstance(message, Response)
    return message


def test_segments_may_fall_anywhere(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.ua("server", "tcp")
        reader, writer = await asyncio.open_connection(*ua.local("tcp").sockaddr)
        for byte in options(ua, call_id="bytes"):  # one byte a segment
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await read_response(reader)).status == 200
        many = b"".join(options(ua, call_id=f"many{index}") for index in range(5))
        writer.write(b"\r\n\r\n")  # RFC 5626 section 3.5.1: a double CRLF is answered by one
        async with asyncio.timeout(5):
            assert await reader.readexactly(2) == b"\r\n"
        writer.write(b"\r\n" + many[:-40])  # five in one, the last one cut, a stray CRLF ahead
        writer.write(many[-40:])
        assert [(await read_response(reader)).call_id for _ in range(5)] == [f"many{i}" for i in range(5)]
        writer.close()
        await writer.wait_closed()

    nodes.run(story())


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_calls_share_a_connection_and_the_callee_uses_it_back(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
        for _ in range(3):
            _, theirs = await nodes.connected(caller, callee)
            assert (await theirs.bye()).status == 200
        assert len(caller.transport.flows()) == len(callee.transport.flows()) == 1

    nodes.run(story())


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_registered_flow_is_used_for_calls_to_it(nodes: Any, transport: TransportName) -> None:
    """Pitfall of phones behind TCP: only the connection they opened leads to them."""

    async def story() -> None:
        phone, platform = await nodes.answering("phone", transport), await nodes.ua("platform", transport)
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
            headers=[("Contact", "<sip:phone@192.0.2.1:9;transport=tcp>")],  # leads nowhere, as behind NAT
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

    nodes.run(story())


def test_a_lost_connection_fails_what_waits_on_it(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", "tcp"), await nodes.ua("callee", "tcp")
        taken = nodes.taking(callee, answers=False)
        call = nodes.dial(caller, callee)
        await provisional(call, 5)
        callee.transport.flows()[0].reset()
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert caught.value.end.how is How.UNREACHABLE
        (await taken.get()).reject(480)

    nodes.run(story())


def test_a_dialog_survives_the_loss_of_its_connection(nodes: Any) -> None:
    """The next request opens a new one, to the address in the peer's Contact."""

    async def story() -> None:
        caller, callee = await nodes.ua("caller", "tcp"), await nodes.ua("callee", "tcp")
        call, _ = await nodes.connected(caller, callee)
        (flow,) = caller.transport.flows()
        flow.close()
        async with asyncio.timeout(5):
            while flow.is_open:  # noqa: ASYNC110 - nothing reports its end
                await asyncio.sleep(0)
        assert (await call.bye()).status == 200

    nodes.run(story())


@pytest.mark.parametrize("days", [1, -1])
def test_the_servers_certificate_is_verified(nodes: Any, days: int) -> None:
    """One that names another, and one that has expired; the good one is in all other tests."""

    async def story() -> None:
        caller = await nodes.ua("caller", "tls")
        host = fresh_address() if days > 0 else "127.0.0.1"
        callee = await nodes.answering("callee", "tls", tls=nodes.identity(host, days=days))
        with pytest.raises(CallFailedError) as caught:
            await nodes.dial(caller, callee).wait_answered(5)
        assert caught.value.status == 503
        assert "certificate" in caught.value.reason
        assert nodes.starts("callee", "received", "INVITE") == []

    nodes.run(story())
