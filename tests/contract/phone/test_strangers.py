"""Who may reach a phone: the addresses of its configuration and the far ends of its own calls.
Others are refused and reported.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from harness.case.events import SipMessage, StrangerRefused
from harness.phone import Answer, NeverCame, Phone
from harness.sip.message import Request
from tests.loopback import fresh_address
from tests.phones import Authority, Desk, connect, event_of, refusals, uri_of
from tests.stranger import METHODS, Stranger, talking


@pytest.fixture
def platform() -> Iterator[Stranger]:
    """A peer at an address that phones are told to listen to."""
    with contextlib.closing(Stranger(fresh_address())) as platform:
        yield platform


@pytest.fixture
def phone(lease: Desk, platform: Stranger) -> Phone:
    phone = lease("callee", accepts_from=(platform.host,))
    phone.policy = Answer()
    return phone


@pytest.mark.parametrize("method", METHODS)
def test_a_strangers_request_gets_no_answer_and_is_reported(
    phone: Phone, peer: Stranger, method: str
) -> None:
    headers = ("User-Agent: friendly-scanner", "Event: presence", "Refer-To: <sip:1@192.0.2.1>")
    peer.says(phone, method, 1, None, headers)
    event = event_of(phone, StrangerRefused)
    assert (event.source, event.transport, event.method) == (peer.host, "udp", method)
    assert (event.user_agent, event.count, event.why, event.leg) == (
        "friendly-scanner",
        1,
        "address",
        None,
    )
    assert phone.incoming == []
    assert not any(isinstance(event, SipMessage) for event in phone.events)
    phone.dial(f"sip:7001@{peer.address}")  # an answer would be there ahead of the INVITE
    first = peer.next(10)
    assert isinstance(first, Request)
    assert first.method == "INVITE"


def test_strangers_are_counted(phone: Phone, peer: Stranger) -> None:
    for number in range(1, 6):
        peer.says(phone, "OPTIONS", number, None)
    event = event_of(phone, StrangerRefused, count=5)
    assert event.leg is None
    assert len(refusals(phone)) == 2, "the first at once, the others together a second later"


def test_a_call_that_was_refused_is_named_where_it_is_missed(phone: Phone, lease: Desk) -> None:
    caller = lease("caller")
    caller.dial(uri_of(phone))
    event_of(phone, StrangerRefused)
    with pytest.raises(NeverCame, match=rf"INVITEs from {caller.config.bind_address} were refused"):
        phone.next_call(0.1)


@pytest.mark.parametrize("listed", ["address", "network", "name"])
def test_addresses_networks_and_names_can_be_listed(lease: Desk, listed: str) -> None:
    with contextlib.closing(
        Stranger("127.0.0.1" if listed == "name" else fresh_address())
    ) as platform:
        network = f"{platform.host.rpartition('.')[0]}.0/24"
        entry = {"address": platform.host, "network": network, "name": "localhost"}[listed]
        phone = lease("callee", accepts_from=(entry, "no-such-host.invalid"))
        _, answer = talking(phone, platform)
        platform.hangs_up(phone, answer)
        assert refusals(phone) == []


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_the_far_end_of_the_phones_own_call_is_listened_to(
    lease: Desk, authority: Authority, transport: str
) -> None:
    """Whom the phone calls need not be listed: it may hang up, hold and refresh (RFC 3261 section
    12.2).
    """

    caller = lease("caller", accepts_from=(), **authority.settings(transport))
    callee = lease("callee", **authority.settings(transport))
    out, back = connect(caller, callee)
    back.hold()
    out.wait("hold", lambda e: isinstance(e, SipMessage) and "a=sendonly" in e.text, 10)
    back.hangup()
    out.wait_state("disconnected", 10)
    assert refusals(caller) == []


def test_a_strangers_connection_is_refused_as_well(lease: Desk) -> None:
    phone = lease("callee", transport="tcp", accepts_from=("192.0.2.1",))
    caller = lease("caller", transport="tcp")
    caller.dial(uri_of(phone))
    event = event_of(phone, StrangerRefused)
    assert (event.transport, event.method, event.source) == (
        "tcp",
        "INVITE",
        caller.config.bind_address,
    )
    assert phone.incoming == []


@pytest.mark.parametrize(
    "method", ["BYE", "INVITE", "UPDATE", "REFER", "INFO", "NOTIFY", "MESSAGE", "CANCEL"]
)
def test_a_request_within_a_call_from_another_address_is_not_obeyed(
    phone: Phone, platform: Stranger, peer: Stranger, method: str
) -> None:
    """Whoever has seen the call's identifiers must not end, redirect or change it."""
    leg, answer = talking(phone, platform)
    forged = re.sub(r"^INVITE|(?<=CSeq: 1 )INVITE", method, leg.invite.text, flags=re.MULTILINE)
    forged = forged.replace("CSeq: 1 ", "CSeq: 7 ").replace("branch=", "branch=z9hG4bKforged")
    forged = re.sub(r"^To: .*?\r$", f"To: {answer.get('To')}\r", forged, flags=re.MULTILINE)
    forged = forged.replace("Contact:", f"Refer-To: <sip:1@{peer.host}>\r\nContact:").replace(
        platform.host, peer.host
    )
    forged = forged.replace(f"Call-ID: {peer.host}", f"Call-ID: {platform.host}")
    before = len(leg.messages)
    peer.sends(phone, forged)
    event = event_of(leg, StrangerRefused)
    assert (event.leg, event.method, event.source, event.why) == (
        leg.id,
        method,
        peer.host,
        "address",
    )
    assert (leg.state, len(leg.messages), leg.successor) == ("confirmed", before, None)
    platform.hangs_up(phone, answer)


def test_a_bye_with_another_call_id_ends_no_call(phone: Phone, platform: Stranger) -> None:
    """RFC 3261 section 12.2.2: a dialog is named by its Call-ID and both tags."""
    leg, answer = talking(phone, platform)
    right, platform.call_id = platform.call_id, "another"
    platform.hangs_up(phone, answer, 2, status=481)
    event = event_of(leg, StrangerRefused)
    assert (event.leg, event.method, event.why) == (leg.id, "BYE", "call-id")
    assert leg.state == "confirmed"
    platform.call_id = right
    platform.hangs_up(phone, answer, 3)
