"""Where requests of a dialog go (RFC 3261 section 12), by the books alone and through a proxy that records itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.uri import Uri
from harness.world.wire.dialog import Dialog, OutOfOrderError, dialog_id_of
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.layer import TransportLayer
from harness.world.wire.transport import Flow, Hop, Listen
from tests.loopback import fresh_address


class NoFlow(Flow):
    """A flow for books that send nothing."""

    transport, local, remote, inbound = "udp", ("127.0.0.1", 1), ("127.0.0.2", 2), False
    listen = Listen("udp", "127.0.0.1", 1)
    is_open = True

    def send(self, data: bytes) -> None:
        raise AssertionError("nothing is sent here")

    def close(self) -> None:
        """Nothing to do."""


def invite(*routes: str) -> Request:
    return Request.build(
        "INVITE",
        "sip:bob@example.com",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            *(("Record-Route", route) for route in routes),
            ("From", '"Alice" <sip:alice@example.com>;tag=alice'),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "call"),
            ("CSeq", "10 INVITE"),
            ("Contact", "<sip:alice@192.0.2.1:5070;transport=tcp>"),
        ],
    )


def ok(*routes: str) -> Response:
    headers = [("Contact", "<sip:bob@192.0.2.2>"), ("Allow", "INVITE, update"), *(("Record-Route", r) for r in routes)]
    return Response.to_request(invite(), 200, tag="bob", headers=headers)


def test_the_callers_side() -> None:
    dialog = Dialog.of_client(invite(), ok("<sip:p2;lr>", "<sip:p1;lr>"), NoFlow())
    assert dialog.id == ("call", "alice", "bob")
    request = dialog.build("BYE", [("Reason", "SIP;cause=200")])
    assert request.request_uri == "sip:bob@192.0.2.2"
    assert [str(route) for route in request.routes] == ["<sip:p1;lr>", "<sip:p2;lr>"]  # reversed
    assert (request.cseq.number, request.from_.tag, request.to.tag) == (11, "alice", "bob")
    assert dialog.build("ACK", cseq=10).cseq.number == 10
    assert dialog.build("INFO").cseq.number == 12
    assert dialog.may("UPDATE")
    assert not dialog.may("INFO")


def test_the_callees_side() -> None:
    dialog = Dialog.of_server(invite("<sip:p2;lr>", "<sip:p1;lr>"), "bob", NoFlow())
    assert dialog.id == ("call", "bob", "alice")
    request = dialog.build("BYE")
    assert request.request_uri == "sip:alice@192.0.2.1:5070;transport=tcp"
    assert [str(route) for route in request.routes] == ["<sip:p2;lr>", "<sip:p1;lr>"]  # as they came
    assert (request.cseq.number, request.from_.tag, request.to.tag) == (1, "bob", "alice")
    assert str(dialog.next_uri) == "sip:p2;lr"


def test_strict_routers() -> None:
    """RFC 3261 section 12.2.1.1: the first route becomes the Request-URI, the target the last route."""
    dialog = Dialog.of_client(invite(), ok("<sip:p2;lr>", "<sip:p1;method=INVITE?x=y>"), NoFlow())
    request = dialog.build("BYE")
    assert request.request_uri == "sip:p1"
    assert [str(route) for route in request.routes] == ["<sip:p2;lr>", "<sip:bob@192.0.2.2>"]


def test_targets_move_and_numbers_rise() -> None:
    dialog = Dialog.of_server(invite(), "bob", NoFlow())
    moved = invite().setting("CSeq", "11 INVITE").setting("Contact", "<sip:alice@192.0.2.77>")
    dialog.take(moved)
    assert dialog.remote_target == Uri.parse("sip:alice@192.0.2.77")
    for number in (10, 11):
        with pytest.raises(OutOfOrderError):
            dialog.take(invite().setting("CSeq", f"{number} INVITE"))
    dialog.take(Request.build("INFO", "sip:x", [("CSeq", "99 INFO"), ("Contact", "<sip:elsewhere@x>")]))
    assert dialog.remote_target == Uri.parse("sip:alice@192.0.2.77")  # INFO is no target refresh


def test_an_invite_without_contact_makes_no_dialog() -> None:
    with pytest.raises(SipSyntaxError):
        Dialog.of_server(invite().without("Contact"), "bob", NoFlow())


def test_the_dialog_of_a_request() -> None:
    assert dialog_id_of(invite()) is None
    assert dialog_id_of(invite().setting("To", "<sip:b@x>;tag=bob")) == ("call", "bob", "alice")


class Proxy:
    """A stateless proxy that records itself (RFC 3261 sections 16.6 and 16.11), no more."""

    def __init__(self, nodes: Any, target: Hop) -> None:
        self.target = target
        self.seen: list[str] = []
        self.layer = TransportLayer("proxy", [Listen("udp", fresh_address())], self)

    @property
    def hop(self) -> Hop:
        listen = self.layer.listening[0]
        return Hop("udp", listen.address, listen.port)

    def request_received(self, request: Request, flow: Flow) -> None:
        self.seen.append(request.method)
        me = f"{self.hop.address}:{self.hop.port}"
        hop = self.target
        if request.routes:
            assert request.routes[0].uri.host == self.hop.address
            request = request.listing("Route", [str(r) for r in request.routes[1:]])
            uri = request.uri
            hop = Hop("udp", uri.host, uri.effective_port)
        else:
            request = request.adding("Record-Route", f"<sip:{me};lr>", top=True)
        onward = self.layer.flow_to(hop)
        via = self.layer.via(onward, "z9hG4bKp" + request.via.branch)
        onward.send(request.adding("Via", str(via), top=True).raw)

    def response_received(self, response: Response, flow: Flow) -> None:
        rest = response.listing("Via", [str(via) for via in response.vias[1:]])
        back = self.layer.response_flow(rest, self.layer.flow_to(Hop("udp", rest.via.host, 0)))
        host, port = rest.via.params.get("received"), rest.via.params.get("rport")
        back = self.layer.flow_to(Hop("udp", host or rest.via.host, int(port or 5060)))
        back.send(rest.raw)

    def flow_failed(self, flow: Flow, error: Exception | None) -> None:
        """Nothing to do."""


def test_a_call_stays_on_the_recorded_route(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

        async def take(call: IncomingCall) -> None:
            call.ring()
            call.answer(nodes.answer)
            assert await call.wait_acked(5)
            taken.put_nowait(call)

        callee.on_invite = take
        proxy = Proxy(nodes, nodes.hop(callee))
        await proxy.layer.start()
        call = nodes.dial(caller, callee, hop=proxy.hop)
        answer = await call.wait_answered(5)
        assert len(answer.record_routes) == 1
        theirs = await taken.get()
        assert (await call.send("OPTIONS")).status == 200
        assert (await theirs.send("OPTIONS")).status == 200
        response = await theirs.bye()
        assert response is not None
        assert response.status == 200
        assert proxy.seen == ["INVITE", "ACK", "OPTIONS", "OPTIONS", "BYE"]
        ack = Message.parse(nodes.starts("callee", "received", "ACK")[0].data)
        assert len(ack.vias) == 2
        await proxy.layer.stop()

    nodes.run(story())
