"""Calls whose phone process died: the message that ends each, sent from the phone's port with its
password.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import pytest

from harness.case.events import Direction, SipMessage
from harness.phone.config import PhoneConfig
from harness.phone.crash_cleanup import hang_up, pending_teardown
from harness.sip.message import Request
from tests.loopback import fresh_address
from tests.sip_peer import SipPeer
from tests.unit.phone_events import sip_message

INVITE = (
    "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    "Record-Route: <sip:127.0.0.8:5080;lr>\r\nRecord-Route: <sip:127.0.0.7;lr>\r\n"
    "From: <sip:a@example.com>;tag=fa\r\nTo: <sip:b@example.com>\r\nContact: <sip:a@127.0.0.1:5060>\r\n"
    "Call-ID: c1\r\nCSeq: 41 INVITE\r\nContent-Length: 0\r\n\r\n"
)


def answer(status: int) -> str:
    return (
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
        f"From: <sip:a@example.com>;tag=fa\r\nTo: <sip:b@example.com>;tag=tb\r\nContact: <sip:b@127.0.0.2:5060>\r\n"
        "Call-ID: c1\r\nCSeq: 41 INVITE\r\nContent-Length: 0\r\n\r\n"
    )


def message(direction: Direction, text: str, local: str, remote: str) -> SipMessage:
    return sip_message(direction, text, at=0.0, local=local, remote=remote)


def answered_call(local: str, remote: str, call_id: str = "c1") -> list[SipMessage]:
    """The messages of a call that the phone at ``local`` placed, and that is up."""
    texts: tuple[tuple[Direction, str], ...] = (
        ("sent", INVITE),
        ("received", answer(200).replace("127.0.0.2:5060", remote)),
    )
    return [
        message(direction, text.replace("c1", call_id), local, remote) for direction, text in texts
    ]


LOCAL, REMOTE = "127.0.0.1:5060", "127.0.0.2:5060"


def said(direction: str, text: str) -> SipMessage:
    return sip_message(
        "sent" if direction == ">" else "received",
        text,
        at=0.0,
        leg="alice.1",
        local=LOCAL,
        remote=REMOTE,
    )


def test_the_remote_target_is_the_latest_contact_and_the_number_the_next() -> None:
    again = INVITE.replace("sip:a@127.0.0.1:5060", "sip:a@127.0.0.5:5090").replace(
        "41 INVITE", "99 INVITE"
    )
    again = again.replace("To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=tb")
    own = INVITE.replace("41 INVITE", "7 INVITE").replace(
        "To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=x"
    )
    messages = [said("<", INVITE), said(">", answer(200)), said(">", own), said("<", again)]
    teardown = pending_teardown(messages)
    assert teardown is not None
    assert isinstance(teardown.message, Request)
    assert teardown.message.request_uri == "sip:a@127.0.0.5:5090"
    assert str(teardown.message.cseq) == "8 BYE"


BYE = INVITE.replace("INVITE", "BYE").replace(
    "To: <sip:b@example.com>", "To: <sip:b@example.com>;tag=tb"
)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [said("<", BYE)],
        [said(">", INVITE), said("<", answer(486))],
        [said(">", INVITE), said("<", answer(200)), said("<", BYE)],
        [said(">", INVITE), said(">", INVITE.replace("INVITE", "CANCEL"))],
        [said(">", "nonsense")],
        [said(">", INVITE), said("<", answer(200).replace("Contact", "X-Contact"))],
    ],
    ids=["no messages", "no invite", "refused", "ended", "cancelled", "nonsense", "no contact"],
)
def test_nothing_is_pending(messages: list[SipMessage]) -> None:
    assert pending_teardown(messages) is None


@pytest.mark.parametrize("at", [1, 2])
def test_a_message_that_has_lost_its_cseq_leaves_no_call_up(at: int) -> None:
    """The log cuts off what is longer than 4000 characters."""
    messages = [said(">", INVITE), said("<", answer(200))]
    messages.insert(at, said("<", answer(183).partition("CSeq")[0]))
    teardown = pending_teardown(messages)
    assert teardown is not None
    assert teardown.message.start_line.startswith("BYE ")


@pytest.fixture
def peer() -> Iterator[SipPeer]:
    with contextlib.closing(SipPeer(fresh_address())) as peer:
        yield peer


def config(local: str, **more: Any) -> PhoneConfig:
    """The phone that is bound to ``local``."""
    return PhoneConfig("p", "a", "example.com", bind_address=local.rpartition(":")[0], **more)


@pytest.mark.parametrize(
    ("configured", "shown", "asks", "is_answered"),
    [
        ("acme", "", "acme", True),
        ("acme", "", "stranger", False),
        ("*", "acme", "stranger", True),
        ("", "acme", "acme", True),
        ("", "acme", "stranger", False),  # who was called gets no hash after the proxy has
        ("", "", "acme", True),
    ],
)
def test_a_challenge_is_answered_as_by_the_phone(
    peer: SipPeer, configured: str, shown: str, asks: str, is_answered: bool
) -> None:
    local = f"{fresh_address()}:0"
    credentials = f'Proxy-Authorization: Digest username="a", realm="{shown}"\r\nContact:'
    texts: tuple[tuple[Direction, str], ...] = (
        ("sent", INVITE.replace("Contact:", credentials) if shown else INVITE),
        ("received", answer(200).replace("127.0.0.2:5060", peer.address)),
    )
    messages = [message(direction, text, local, peer.address) for direction, text in texts]
    phone = config(local, username="a", password="b", realm=configured)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(hang_up, phone, "p.1", messages, lambda _: None)
        peer.respond(
            peer.request("BYE"), 407, [("Proxy-Authenticate", f'Digest realm="{asks}", nonce="n"')]
        )
        if is_answered:
            again = peer.request("BYE")
            assert again.has("Proxy-Authorization")
            peer.respond(again, 200)
        assert ended.result() is is_answered


def test_all_who_had_calls_at_one_port_end_them_from_there(peer: SipPeer) -> None:
    """When the process of a shared phone dies, all its cases hang up at the same time."""
    local = f"{fresh_address()}:5060"
    with ThreadPoolExecutor(2) as threads:
        ended = [
            threads.submit(
                hang_up,
                config(local),
                "p.1",
                answered_call(local, peer.address, call_id),
                lambda _: None,
            )
            for call_id in ("one", "other")
        ]
        first = peer.request("BYE")
        assert not wait(ended, 0.3, FIRST_COMPLETED).done, "the other waits for the port"
        sources = [peer.peer]
        peer.respond(first, 200)
        second = peer.request("BYE")
        sources.append(peer.peer)
        peer.respond(second, 200)
        assert [each.result() for each in ended] == [True, True]
    assert {first.call_id, second.call_id} == {"one", "other"}
    assert {f"{host}:{port}" for host, port in sources} == {local}
