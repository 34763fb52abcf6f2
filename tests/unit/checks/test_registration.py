"""A 200 to a REGISTER is not yet a binding: it lists those there are (RFC 3261 section 10.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calls.checks import registration
from tests.unit.checks.registration_messages import OURS, message


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((f"Contact: {OURS};expires=60",), None),
        ((f"m: {OURS}", "Expires: 60"), None),
        ((f"Contact: {OURS}",), None),
        (("Contact: <sip:x@192.0.2.8>;expires=9", f'Contact: "a, b" <sip:y@192.0.2.7>, {OURS};expires=60'), None),
        (("Contact: <sip:u1@198.51.100.1:1024>;expires=60",), None),  # what an SBC made of it
        (("Contact: <sip:masked@192.0.2.9:5070>;expires=60",), None),
        ((), "which does not list its Contact"),
        (("Contact: <sip:x@192.0.2.8>;expires=60",), "which does not list its Contact"),
        ((f"Contact: {OURS};expires=0",), "which lists its Contact as expired"),
        ((f"Contact: {OURS}", "Expires: 0"), "which lists its Contact as expired"),
    ],
)
def test_what_a_200_binds(headers: tuple[str, ...], words: str | None) -> None:
    exchange = [
        message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300"),
        message("received", "SIP/2.0 401 Unauthorized"),
        message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300"),
        message("received", "SIP/2.0 200 OK", *headers),
    ]
    assert registration.unbound(exchange) == words


@given(st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_a_contact_listed_more_than_once_is_bound_where_any_is(seconds: list[int]) -> None:
    """As after a re-boot: the binding of the last call-id goes, the new one stays."""
    exchange = [
        message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300"),
        message("received", "SIP/2.0 200 OK", *(f"Contact: {OURS};expires={left}" for left in seconds)),
    ]
    assert (registration.unbound(exchange) is None) == any(seconds)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "which lists its Contact as expired"), (60, None)], ids=["expired", "bound"]
)
def test_another_device_of_the_same_user_is_not_this_one(seconds: int, words: str | None) -> None:
    """A 200 lists every binding of the address of record (RFC 3261 section 10.3 step 8), as of the run before, or of a PBX."""
    other = OURS.replace("192.0.2.9:", "192.0.2.99:")
    exchange = [
        message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300"),
        message("received", "SIP/2.0 200 OK", f"Contact: {other};expires=3600", f"Contact: {OURS};expires={seconds}"),
    ]
    assert registration.unbound(exchange) == words


def test_what_another_device_has_registered_may_be_broken() -> None:
    broken = "<sip:bob%zz@192.0.2.99>"
    exchange = [
        message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300"),
        message("received", "SIP/2.0 200 OK", f"Contact: {broken};expires=60, {OURS};expires=60"),
    ]
    assert registration.unbound(exchange) is None


def test_nothing_is_said_where_there_was_no_200() -> None:
    assert registration.unbound([message("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}")]) is None
