"""What a call owes its far end, told from its messages."""

from __future__ import annotations

import pytest

from harness.calls.events import SipMessage
from harness.phone.crash_cleanup import acknowledgement, acknowledgement_of_success, pending_teardown
from harness.sip.message import Message, Request, Response
from tests.unit.phone.torn_calls import INVITE, answer
from tests.unit.phone_events import sip_message

LOCAL, REMOTE = "127.0.0.1:5060", "127.0.0.2:5060"


ROUTED = "Record-Route: <sip:127.0.0.8:5080;lr>\r\nRecord-Route: <sip:127.0.0.7;lr>\r\n"


def message(direction: str, text: str) -> SipMessage:
    return sip_message(
        "sent" if direction == ">" else "received", text, at=0.0, leg="alice.1", local=LOCAL, remote=REMOTE
    )


def test_an_answered_outgoing_call_owes_a_bye() -> None:
    teardown = pending_teardown([message(">", INVITE), message("<", answer(200, extra=ROUTED))])
    assert teardown is not None
    bye = teardown.message
    assert isinstance(bye, Request)
    assert bye.start_line == "BYE sip:b@127.0.0.2:5060 SIP/2.0"
    assert (bye.from_.tag, bye.to.tag, bye.call_id, str(bye.cseq)) == ("fa", "tb", "c1", "42 BYE")
    # The caller's route set is the Record-Route of the 2xx, reversed.
    assert [str(route.uri) for route in bye.routes] == ["sip:127.0.0.7;lr", "sip:127.0.0.8:5080;lr"]
    assert teardown.next_hop == "127.0.0.7:5060"
    assert (teardown.last_peer, teardown.local, teardown.transport) == (REMOTE, LOCAL, "udp")


def test_an_answered_incoming_call_owes_a_bye_the_other_way_round() -> None:
    teardown = pending_teardown([message("<", INVITE), message(">", answer(200))])
    assert teardown is not None
    bye = teardown.message
    assert isinstance(bye, Request)
    assert bye.start_line == "BYE sip:a@127.0.0.1:5060 SIP/2.0"
    assert (bye.from_.tag, bye.to.tag, str(bye.cseq)) == ("tb", "fa", "1 BYE")
    assert [str(route.uri) for route in bye.routes] == ["sip:127.0.0.8:5080;lr", "sip:127.0.0.7;lr"]


def test_the_remote_target_is_the_latest_contact_and_the_number_the_next() -> None:
    again = INVITE.replace("sip:a@127.0.0.1:5060", "sip:a@127.0.0.5:5090").replace("41 INVITE", "99 INVITE")
    again = again.replace("To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=tb")
    own = INVITE.replace("41 INVITE", "7 INVITE").replace("To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=x")
    messages = [message("<", INVITE), message(">", answer(200)), message(">", own), message("<", again)]
    teardown = pending_teardown(messages)
    assert teardown is not None
    assert isinstance(teardown.message, Request)
    assert teardown.message.request_uri == "sip:a@127.0.0.5:5090"
    assert str(teardown.message.cseq) == "8 BYE"


@pytest.mark.parametrize("provisional", [True, False])
def test_an_unanswered_outgoing_call_owes_a_cancel(provisional: bool) -> None:
    teardown = pending_teardown([message(">", INVITE), *([message("<", answer(180))] if provisional else [])])
    assert teardown is not None
    cancel = teardown.message
    assert isinstance(cancel, Request)
    # RFC 3261 section 9.1: the same branch and number, and no tag in To.
    assert cancel.start_line == "CANCEL sip:b@example.com SIP/2.0"
    assert (cancel.via.branch, str(cancel.cseq), cancel.to.tag) == ("z9hG4bK1", "41 CANCEL", None)
    assert teardown.next_hop == REMOTE


@pytest.mark.parametrize(("told", "tag"), [([], None), ([message(">", answer(180, ";tag=mine"))], "mine")])
def test_an_incoming_call_that_rings_owes_a_refusal(told: list[SipMessage], tag: str | None) -> None:
    teardown = pending_teardown([message("<", INVITE), *told])
    assert teardown is not None
    refusal = teardown.message
    assert isinstance(refusal, Response)
    assert refusal.status == 480
    assert refusal.to.tag == tag or (tag is None and refusal.to.tag)
    assert refusal.via.branch == "z9hG4bK1"


BYE = INVITE.replace("INVITE", "BYE").replace("To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=tb")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [message("<", BYE)],
        [message(">", INVITE), message("<", answer(486))],
        [message(">", INVITE), message("<", answer(200)), message("<", BYE)],
        [message(">", INVITE), message(">", INVITE.replace("INVITE", "CANCEL"))],
        [message(">", "nonsense")],
        [message(">", INVITE), message("<", answer(200).replace("Contact", "X-Contact"))],
    ],
    ids=["no messages", "no invite", "refused", "ended", "cancelled", "nonsense", "no contact"],
)
def test_nothing_is_pending(messages: list[SipMessage]) -> None:
    assert pending_teardown(messages) is None


@pytest.mark.parametrize("at", [1, 2])
def test_a_message_that_has_lost_its_cseq_leaves_no_call_up(at: int) -> None:
    """The log cuts off what is longer than 4000 characters."""
    messages = [message(">", INVITE), message("<", answer(200))]
    messages.insert(at, message("<", answer(183).partition("CSeq")[0]))
    teardown = pending_teardown(messages)
    assert teardown is not None
    assert teardown.message.start_line.startswith("BYE ")


def test_acknowledgements() -> None:
    invite, refused, accepted = (Message.parse(t) for t in (INVITE, answer(487), answer(200, extra=ROUTED)))
    assert isinstance(invite, Request)
    assert isinstance(refused, Response)
    assert isinstance(accepted, Response)
    ack = acknowledgement(invite, refused)
    assert (ack.via.branch, str(ack.cseq), ack.to.tag, ack.request_uri) == (
        "z9hG4bK1",
        "41 ACK",
        "tb",
        "sip:b@example.com",
    )
    ack = acknowledgement_of_success(invite, accepted, LOCAL, "tcp")
    assert ack.via.branch != "z9hG4bK1"
    assert (ack.via.transport, ack.request_uri, str(ack.cseq)) == ("TCP", "sip:b@127.0.0.2:5060", "41 ACK")
    assert len(ack.routes) == 2
