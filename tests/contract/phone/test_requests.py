"""Requests besides calls: OPTIONS and others, outside of any dialog and within a call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.case.events import SipMessage
from harness.errors import BrokenError
from tests.phones import Desk, settle, uri_of
from tests.stranger import Stranger


def test_phones_answer_options_and_both_have_it_among_their_events(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    assert alice.options(uri_of(bob)) == (200, "OK")
    settle(bob)
    for phone, direction in ((alice, "sent"), (bob, "received")):
        assert any(
            isinstance(e, SipMessage) and e.text.startswith("OPTIONS ") and e.direction == direction
            for e in phone.events
        )


def test_any_request_is_sent_with_headers_and_body_and_its_final_answer_returned(
    lease: Desk, peer: Stranger
) -> None:
    alice = lease("alice")
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(
            alice.request,
            "MESSAGE",
            f"sip:100@{peer.address}",
            [("X-EI", "S.abc;")],
            "hello",
            "text/plain",
            10.0,
        )
        request = peer.request("MESSAGE")
        assert (request.get("X-EI"), request.body) == ("S.abc;", b"hello")
        peer.respond(request, 404, reason="Nobody")
        assert asked.result() == (404, "Nobody")


def test_a_late_answer_to_a_request_is_broken(lease: Desk, peer: Stranger) -> None:
    with pytest.raises(BrokenError):
        lease("alice").options(f"sip:100@{peer.address}", within=0.2)
