"""TCP and TLS: segments, keep-alive, reuse, loss of a connection, certificates."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from harness.sip.message import Message, Response
from harness.world.wire.agent import IncomingRequest, UserAgent
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.transport import Hop, Listen, ListenError, Passage, TransportName
from tests.process.wire.conftest import provisional


def options(target: UserAgent, *, call_id: str = "split", extra: str = "Content-Length: 0\r\n") -> bytes:
    host, port = target.local("tcp").local
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
        reader, writer = await asyncio.open_connection(*ua.local("tcp").local)
        for byte in options(ua, call_id="bytes"):  # one byte a segment
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await read_response(reader)).status == 200
        many = b"".join(options(ua, call_id=f"many{index}") for index in range(5))
        writer.write(b"\r\n" + many[:-40])  # five in one, the last one cut, a stray CRLF ahead
        writer.write(many[-40:])
        assert [(await read_response(reader)).call_id for _ in range(5)] == [f"many{i}" for i in range(5)]
        writer.close()
        await writer.wait_closed()

    nodes.run(story())


def test_keep_alive(nodes: Any) -> None:
    """RFC 5626 section 3.5.1: a double CRLF is answered by one."""

    async def story() -> None:
        ua = await nodes.ua("server", "tcp")
        reader, writer = await asyncio.open_connection(*ua.local("tcp").local)
        for _ in range(3):
            writer.write(b"\r\n\r\n")
            async with asyncio.timeout(5):
                assert await reader.readexactly(2) == b"\r\n"
        writer.write(options(ua))
        assert (await read_response(reader)).status == 200
        writer.close()
        await writer.wait_closed()

    nodes.run(story())


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", False),  # a TLS client at a plain port
        (b"\x00\x01\x02\x03garbage", False),
        (b"x" * 70_000, False),
        (b"OPTIONS sip:x SIP/2.0\r\nContent-Length: many\r\n\r\n", False),
    ],
)
def test_what_does_not_speak_sip_is_cut_off(nodes: Any, text: bytes, answered: bool) -> None:
    async def story() -> None:
        ua = await nodes.ua("server", "tcp")
        reader, writer = await asyncio.open_connection(*ua.local("tcp").local)
        writer.write(text)
        async with asyncio.timeout(5):
            try:
                assert bool(await reader.read()) is answered
            except ConnectionResetError:
                assert not answered
        writer.close()
        assert ua.flows() == ()

    nodes.run(story())


def test_a_message_without_content_length_is_answered_and_the_stream_dropped(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.ua("server", "tcp")
        reader, writer = await asyncio.open_connection(*ua.local("tcp").local)
        writer.write(options(ua, extra=""))
        assert (await read_response(reader)).status == 400
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    nodes.run(story())


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_calls_share_a_connection_and_the_callee_uses_it_back(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

        async def take(call: IncomingCall) -> None:
            call.answer(nodes.answer)
            await call.wait_acked(5)
            taken.put_nowait(call)

        callee.on_invite = take
        calls = [nodes.dial(caller, callee) for _ in range(4)]
        for call in calls:
            await call.wait_answered(5)
            theirs = await taken.get()
            assert theirs.flow.inbound
            response = await theirs.bye()
            assert response is not None
            assert response.status == 200
        assert len(caller.flows()) == len(callee.flows()) == 1

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
        hop = nodes.hop(platform)
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
        assert len(platform.flows()) == 1

    nodes.run(story())


def test_a_lost_connection_fails_what_waits_on_it(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", "tcp"), await nodes.ua("callee", "tcp")
        closed: asyncio.Queue[Exception | None] = asyncio.Queue()
        caller.on_flow_closed = lambda flow, error: closed.put_nowait(error)

        async def never(call: IncomingCall) -> None:
            call.ring()

        callee.on_invite = never
        call = nodes.dial(caller, callee)
        await provisional(call, 5)
        callee.drop_flow(callee.flows()[0])
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert caught.value.end.how is How.UNREACHABLE
        assert isinstance(await closed.get(), ConnectionResetError)
        for left in callee.calls():
            left.reject(480)

    nodes.run(story())


def test_a_dialog_survives_the_loss_of_its_connection(nodes: Any) -> None:
    """The next request opens a new one, to the address in the peer's Contact."""

    async def story() -> None:
        caller, callee = await nodes.ua("caller", "tcp"), await nodes.answering("callee", "tcp")
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        await nodes.until("callee", "received", "ACK")
        closed = asyncio.Event()
        caller.on_flow_closed = lambda flow, error: closed.set()
        caller.drop_flow(caller.flows()[0], reset=False)
        await closed.wait()
        assert (await call.bye()).status == 200

    nodes.run(story())


def test_an_idle_connection_is_closed(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.ua("server", "tcp", idle=0.1)
        reader, writer = await asyncio.open_connection(*ua.local("tcp").local)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    nodes.run(story())


def test_a_segment_filter_sees_plain_text_of_tls(nodes: Any) -> None:
    async def story() -> None:
        seen: list[Passage] = []

        def look(passage: Passage) -> bytes:
            seen.append(passage)
            return passage.data

        caller, callee = await nodes.ua("caller", "tls", filter=look), await nodes.answering("callee", "tls")
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        await call.bye()
        assert [p.direction for p in seen][:2] == ["out", "connect"]
        assert seen[0].data.startswith(b"INVITE")
        assert any(p.direction == "in" and b"SIP/2.0 200" in p.data for p in seen)

    nodes.run(story())


# --- certificates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "days", "server_name", "good"),
    [
        (["company.sip.gladly.example"], 1, "company.sip.gladly.example", True),
        (["elsewhere.example"], 1, "company.sip.gladly.example", False),
        (["company.sip.gladly.example"], -1, "company.sip.gladly.example", False),
    ],
)
def test_the_servers_certificate_is_verified(
    nodes: Any, names: list[str], days: int, server_name: str, good: bool
) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", "tls")
        callee = await nodes.answering("callee", "tls", tls=nodes.identity(*names, days=days))
        hop = nodes.hop(callee)
        call = nodes.dial(caller, callee, hop=Hop("tls", hop.address, hop.port, server_name))
        if good:
            await call.wait_answered(5)
            await call.bye()
        else:
            with pytest.raises(CallFailedError) as caught:
                await call.wait_answered(5)
            assert caught.value.status == 503
            assert "certificate" in caught.value.reason
            assert nodes.starts("callee", "received", "INVITE") == []

    nodes.run(story())


def test_a_self_signed_world_can_be_trusted_blindly(nodes: Any) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", "tls", tls=nodes.identity("caller.example", trust=False))
        callee = await nodes.answering("callee", "tls", tls=nodes.identity("other.example"))
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        await call.bye()

    nodes.run(story())


async def _read_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readexactly(1)
    finally:
        writer.close()


def test_mutual_tls(nodes: Any) -> None:
    async def story() -> None:
        callee = await nodes.answering("callee", "tls", tls=nodes.identity("callee", verify_clients=True))
        host, port = callee.local("tls").local
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        without = asyncio.open_connection(host, port, ssl=context)  # TLS 1.3 tells only after the handshake
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await _read_one(*await without)
        caller = await nodes.ua("caller", "tls", tls=nodes.identity("caller.example", verify_name=False))
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        await call.bye()

    nodes.run(story())


def test_a_silent_client_does_not_hold_the_tls_port(nodes: Any) -> None:
    async def story() -> None:
        callee = await nodes.answering("callee", "tls", connect_timeout=0.2)
        reader, writer = await asyncio.open_connection(*callee.local("tls").local)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    nodes.run(story())


# --- listening -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_busy_port_is_named_and_nothing_stays_open(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        first = await nodes.ua("first", transport)
        taken = first.listening[0]
        second = UserAgent("second", [Listen(transport, taken.address), taken])
        with pytest.raises(ListenError, match=f"{taken.address}:{taken.port}"):
            await second.start()
        assert second.flows() == ()

    nodes.run(story())


def test_an_address_that_is_not_ours(nodes: Any) -> None:
    async def story() -> None:
        with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
            await UserAgent("alien", [Listen("udp", "192.0.2.1")]).start()

    nodes.run(story())
