"""A REFER in each way that it may be written leads to the call that it asks for."""

from __future__ import annotations

import threading

import pytest

from harness.case.events import TransferProgress
from harness.errors import PhoneLostError
from harness.phone import Answer
from tests.process.phone.conftest import Desk, connect, event_of, uri_of
from tests.stranger import Stranger, talking

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
    leg, call = talking(phone, stranger)
    written = [header.format(there=stranger.address) for header in headers]
    assert stranger.within(phone, "REFER", 2, call, headers=written).status == 202
    invite = stranger.request("INVITE")
    assert invite.uri.user == "x"
    assert invite.get("Referred-By") == "<sip:stranger@example.com>"
    assert any(all(header in message.text for header in written) for message in leg.messages), (
        "told as it came"
    )


def test_a_replaced_call_is_named(lease: Desk, stranger: Stranger) -> None:
    phone = lease("callee", max_calls=2)
    _, call = talking(phone, stranger)
    target = f"r: <sip:x@{stranger.address}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>;example"
    assert stranger.within(phone, "REFER", 2, call, headers=(target,)).status == 202
    assert stranger.request("INVITE").get("Replaces") == "a;to-tag=b;from-tag=c"


def test_a_transfer_that_the_harness_is_too_late_to_permit_is_nobodys_refusal(
    lease: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk kept the count of calls for 1.4 s; the phone declined, and the platform had the blame."""
    alice, bob = lease("alice", max_calls=2), lease("bob", max_calls=lease.process_holds)
    bob.policy = Answer()
    out, back = connect(alice, bob)
    waits = threading.Event()
    monkeypatch.setattr(alice, "follow", lambda leg, uri, has_room: waits.wait(5))
    bob.process.call("transfer", leg=back.key, uri=uri_of(bob), headers=[])
    event_of(back, TransferProgress, final=True)
    waits.set()
    with pytest.raises(
        PhoneLostError, match="the harness took more than 1 s to answer 'may_follow'"
    ):
        out.wait_state("disconnected", 10)
