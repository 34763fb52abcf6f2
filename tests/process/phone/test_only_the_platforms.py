"""Phones act on the requests of the platform's addresses alone; others are counted, named, and
disturb nobody.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator

import pytest

from harness.case.events import SipMessage, StrangerRefused
from tests.loopback import fresh_address
from tests.phones import refusals
from tests.process.phone.conftest import Desk, event_of, uri_of
from tests.stranger import AUDIO, SESSION, Stranger


@pytest.fixture
def platform() -> Iterator[Stranger]:
    """A far end at an address that phones are told to listen to."""
    with contextlib.closing(Stranger(fresh_address())) as platform:
        yield platform


@pytest.mark.parametrize("strangers", [True, False])
def test_an_answer_to_what_nobody_has_asked_is_none(
    lease: Desk, platform: Stranger, stranger: Stranger, strangers: bool
) -> None:
    """RFC 3261 section 18.1.2. Its Via is known to whoever knows the phone's address; as a 200 to
    REGISTER it would unbind it.
    """
    phone = lease("callee", accepts_from=(platform.host,))
    source = stranger if strangers else platform
    text = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {phone.address};branch=z9hG4bK1\r\nFrom: <{uri_of(phone)}>;tag=1\r\n"
        f"To: <{uri_of(phone)}>;tag=2\r\nCall-ID: forged-{strangers}\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    )
    source.sends(phone, text)
    phone.request("OPTIONS", uri_of(phone))
    seen = [event for event in phone.events if isinstance(event, SipMessage)]
    assert {event.text.startswith("SIP/2.0 ") for event in seen} == {True, False}
    assert not any("Call-ID: forged-" in event.text for event in seen)


@pytest.mark.parametrize(
    "header", ["Contact: <sip:p@{there}>", "Record-Route: <sip:{there};lr>, <sip:192.0.2.1;lr>"]
)
def test_who_is_named_by_the_platforms_invite_goes_on_with_the_call(
    lease: Desk, platform: Stranger, stranger: Stranger, header: str
) -> None:
    """RFC 3261 section 12.1.1: of the remote target, or the route to it, are the ACK and all that
    follows.
    """
    phone = lease("callee", accepts_from=(platform.host,))
    line = header.format(there=stranger.address)
    platform.writes = lambda head: re.sub(
        r"^Contact: .*?\r$", f"{line}\r", head, flags=re.MULTILINE
    )
    if not header.startswith("Contact"):
        platform.writes = lambda head: f"{head}\r\n{line}"
    ring = threading.Thread(target=phone.expect_call, args=(10.0,))
    ring.start()
    platform.says(
        phone,
        "INVITE",
        1,
        None,
        ("Content-Type: application/sdp",),
        SESSION.format(host=platform.host) + AUDIO.format(port=4000),
    )
    answer = platform.final_response("INVITE", 1)
    ring.join()
    stranger.call_id = platform.call_id
    stranger.says(phone, "ACK", 1, answer)
    (leg,) = phone.incoming
    leg.wait_state("confirmed", 10)
    stranger.hangs_up(phone, answer)
    assert refusals(phone) == []


def test_what_cannot_be_read_from_a_stranger_is_counted_alone(
    lease: Desk, stranger: Stranger
) -> None:
    phone = lease("callee", accepts_from=("192.0.2.1",))
    stranger.says(phone, "OPTIONS", 1, None, ('Proxy-Authorization: NTLM realm="x", version=4',))
    assert event_of(phone, StrangerRefused).source == stranger.host
    assert not any(isinstance(event, SipMessage) for event in phone.events)


def test_many_sources_are_counted_together(lease: Desk) -> None:
    phone = lease("callee", accepts_from=("192.0.2.1",))
    for number in range(120):
        with contextlib.closing(Stranger(f"127.9.9.{number + 1}")) as scanner:
            scanner.says(phone, "INVITE", 1, None)
    event = event_of(phone, StrangerRefused, count=70)
    assert event.source == "others"
