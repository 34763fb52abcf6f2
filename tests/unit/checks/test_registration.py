"""A 200 to a REGISTER is not yet a binding: it lists those there are (RFC 3261 section 10.3)."""

from __future__ import annotations

import pytest

from harness.case.checks import registration
from tests.unit.checks.messages import OURS, registering

ASKS = registering("sent", "REGISTER sip:example.com SIP/2.0", f"Contact: {OURS}", "Expires: 300")
OTHERS = OURS.replace("192.0.2.9:", "192.0.2.99:")  # another device of the same user
MISSING, EXPIRED = "which does not list its Contact", "which lists its Contact as expired"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ((f"Contact: {OURS};expires=60",), None),
        ((f"m: {OURS}", "Expires: 60"), None),
        ((f"Contact: {OURS}",), None),
        (
            (
                "Contact: <sip:x@192.0.2.8>;expires=9",
                f'Contact: "a, b" <sip:y@192.0.2.7>, {OURS};expires=60',
            ),
            None,
        ),
        (("Contact: <sip:u1@198.51.100.1:1024>;expires=60",), None),  # what an SBC made of it
        (("Contact: <sip:masked@192.0.2.9:5070>;expires=60",), None),
        ((), MISSING),
        (("Contact: <sip:x@192.0.2.8>;expires=60",), MISSING),
        ((f"Contact: {OURS};expires=0",), EXPIRED),
        ((f"Contact: {OURS}", "Expires: 0"), EXPIRED),
        # as after a re-boot: the binding of the last Call-ID goes, the new one stays
        ((f"Contact: {OURS};expires=0", f"Contact: {OURS};expires=60"), None),
        ((f"Contact: {OTHERS};expires=3600", f"Contact: {OURS};expires=0"), EXPIRED),
        # another device has registered a malformed one
        ((f"Contact: <sip:bob%zz@192.0.2.99>;expires=60, {OURS};expires=60",), None),
    ],
)
def test_what_a_200_binds(headers: tuple[str, ...], words: str | None) -> None:
    challenge = registering("received", "SIP/2.0 401 Unauthorized")
    answer = registering("received", "SIP/2.0 200 OK", *headers)
    assert registration.unbound([ASKS, challenge, ASKS, answer]) == words


def test_without_a_200_nothing_is_missing() -> None:
    assert registration.unbound([ASKS]) is None
