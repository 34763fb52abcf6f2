"""A REFER in each way that it may be written leads to the call that it asks for."""

from __future__ import annotations

import pytest

from tests.process.phone.conftest import Desk
from tests.process.phone.stranger import AUDIO, SESSION, Stranger, answered

NAMED = "Referred-By: <sip:stranger@example.com>"


@pytest.mark.parametrize(
    "headers",
    [
        ("Refer-To: <sip:x@{there}>", NAMED),
        ("Refer-To: sip:x@{there}", NAMED),
        ("r: <sip:x@{there}>", "b: <sip:stranger@example.com>"),
        ('R :\t"X, <sip:y@z>; \\"Y" <sip:x@{there}>;example=1', "b\t: <sip:stranger@example.com>"),
        ("Refer-To: X Y <sip:x@{there}>;example", NAMED),
    ],
)
def test_however_it_is_written(lease: Desk, stranger: Stranger, headers: tuple[str, str]) -> None:
    """RFC 3515 section 2.1, and RFC 3892 sections 2.2 and 3."""
    phone = lease("callee", max_calls=2)
    leg, call = answered(phone, stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 10)
    written = [header.format(there=stranger.address) for header in headers]
    assert stranger.within(phone, "REFER", 2, call, headers=written).status == 202
    invite = stranger.request("INVITE")
    assert invite.uri.user == "x"
    assert invite.get("Referred-By") == "<sip:stranger@example.com>"
    assert any(all(header in message.text for header in written) for message in leg.messages), "told as it came"


def test_a_replaced_call_is_named(lease: Desk, stranger: Stranger) -> None:
    phone = lease("callee", max_calls=2)
    leg, call = answered(phone, stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 10)
    target = f"r: <sip:x@{stranger.address}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>;example"
    assert stranger.within(phone, "REFER", 2, call, headers=(target,)).status == 202
    assert stranger.request("INVITE").get("Replaces") == "a;to-tag=b;from-tag=c"
