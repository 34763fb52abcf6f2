"""Where requests of a dialog go, and which are taken (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.dialog import Dialog, OutOfOrderError, dialog_id_of
from harness.world.wire.transport import Flow, Listen

CONTACT = NameAddr.parse("<sip:bob@192.0.2.2>")


class NoFlow(Flow):
    """A flow that sends nothing."""

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
    headers = [("Contact", str(CONTACT)), ("Allow", "INVITE, update"), *(("Record-Route", r) for r in routes)]
    return Response.to_request(invite(), 200, tag="bob", headers=headers)


def test_the_callers_side() -> None:
    dialog = Dialog.of_client(invite(), ok("<sip:p2;lr>", "<sip:p1;lr>"), NoFlow())
    assert dialog.id == ("call", "alice", "bob")
    request = dialog.build("BYE", [("Reason", "SIP;cause=200")])
    assert request.request_uri == "sip:bob@192.0.2.2"
    assert [str(route) for route in request.routes] == ["<sip:p1;lr>", "<sip:p2;lr>"]  # reversed
    assert (request.cseq.number, request.from_.tag, request.to.tag, request.contact) == (11, "alice", "bob", None)
    assert dialog.build("ACK", cseq=10).cseq.number == 10
    refresh = dialog.build("UPDATE")
    assert refresh.cseq.number == 12
    assert str(refresh.contact) == "<sip:alice@192.0.2.1:5070;transport=tcp>"
    assert dialog.allowed == {"INVITE", "UPDATE"}


def test_the_callees_side() -> None:
    dialog = Dialog.of_server(invite("<sip:p2;lr>", "<sip:p1;lr>"), "bob", NoFlow(), CONTACT)
    assert dialog.id == dialog_id_of(invite().setting("To", "<sip:b@x>;tag=bob")) == ("call", "bob", "alice")
    request = dialog.build("BYE")
    assert request.request_uri == "sip:alice@192.0.2.1:5070;transport=tcp"
    assert [str(route) for route in request.routes] == ["<sip:p2;lr>", "<sip:p1;lr>"]  # as they came
    assert (request.cseq.number, request.from_.tag, request.to.tag) == (1, "bob", "alice")
    assert str(dialog.next_uri) == "sip:p2;lr"


def test_targets_move_and_numbers_rise() -> None:
    dialog = Dialog.of_server(invite(), "bob", NoFlow(), CONTACT)
    dialog.take(invite().setting("CSeq", "11 INVITE").setting("Contact", "<sip:alice@192.0.2.77>"))
    assert dialog.remote_target == Uri.parse("sip:alice@192.0.2.77")
    for number in (10, 11):
        with pytest.raises(OutOfOrderError):
            dialog.take(invite().setting("CSeq", f"{number} INVITE"))
    dialog.take(Request.build("INFO", "sip:x", [("CSeq", "99 INFO"), ("Contact", "<sip:elsewhere@x>")]))
    assert dialog.remote_target == Uri.parse("sip:alice@192.0.2.77")  # INFO is no target refresh


def test_an_invite_without_contact_makes_no_dialog() -> None:
    assert dialog_id_of(invite()) is None
    with pytest.raises(SipSyntaxError):
        Dialog.of_server(invite().without("Contact"), "bob", NoFlow(), CONTACT)
