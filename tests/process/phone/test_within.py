"""Requests that pjsip has no handler for: it would answer 500 within a call, and nothing outside."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.process.phone.conftest import Desk
from tests.stranger import VOICE, Stranger, talking

#: Method, headers, body, and the answer: its status, and the header that goes with it.
ASKED: tuple[tuple[str, Sequence[str], str, int, tuple[str, str] | None], ...] = (
    ("OPTIONS", (), "", 200, ("Allow", "PRACK, INVITE")),
    ("INFO", (), "", 200, None),
    (
        "INFO",
        ("Content-Type: x/y",),
        "well",
        415,
        ("Accept", "application/dtmf, application/dtmf-relay"),
    ),
    ("INFO", ("Info-Package: example", "Content-Type: x/y"), "well", 469, ("Recv-Info", "")),
    ("NOTIFY", ("Event: talk", "Subscription-State: active"), "", 489, None),
    ("NOTIFY", ("o: presence;id=1", "Subscription-State: active"), "", 489, None),
    (
        "NOTIFY",
        ("Event: refer", "Subscription-State: active;expires=60"),
        "SIP/2.0 100 Trying\r\n",
        481,
        None,
    ),
    ("NOTIFY", ("o: Refer;id=7", "Subscription-State: terminated;reason=timeout"), "", 481, None),
    ("SUBSCRIBE", ("Event: kpml", "Expires: 60"), "", 489, None),
    ("SUBSCRIBE", ("Expires: 60",), "", 489, None),
    ("SUBSCRIBE", ("Event: refer", "Expires: 60"), "", 403, None),  # RFC 3515 section 2.4.4
    ("PUBLISH", ("Event: presence",), "", 405, ("Allow", "PRACK, INVITE")),
    ("PING", (), "", 405, ("Allow", "PRACK, INVITE")),
)


def test_other_requests_within_a_call_are_answered(lease: Desk, stranger: Stranger) -> None:
    phone = lease("callee")
    leg, call = talking(phone, stranger)
    for number, (method, headers, body, status, said) in enumerate(ASKED, 2):
        response = stranger.within(phone, method, number, call, body, headers)
        assert response.status == status, (method, headers)
        if said is not None:
            name, value = said
            assert (
                (response.get(name) or "").startswith(value) if value else response.get(name) == ""
            ), (method, name)
    assert leg.state == "confirmed"
    stranger.hangs_up(phone, call)
    leg.wait_state("disconnected", 10)


#: The same outside of any call; some platforms ask so whether a registered phone is there.
ASKED_OUTSIDE: tuple[tuple[str, Sequence[str], int], ...] = (
    ("OPTIONS", (), 200),
    ("MESSAGE", ("Content-Type: text/plain",), 200),
    (
        "NOTIFY",
        ("Event: message-summary", "Content-Type: application/simple-message-summary"),
        200,
    ),  # RFC 3842
    ("NOTIFY", ("Event: keep-alive",), 489),
    ("NOTIFY", ("o: check-sync;reboot=true", "Subscription-State: active"), 489),
    ("NOTIFY", ("Event: refer", "Subscription-State: active"), 481),
    ("SUBSCRIBE", ("Event: presence", "Expires: 60"), 489),
    ("INFO", (), 481),  # RFC 6086 section 4.2.2
    ("BYE", (), 481),  # RFC 3261 section 15.1.2
    ("UPDATE", (), 481),
    ("PRACK", ("RAck: 1 1 INVITE",), 481),  # RFC 3262 section 3
    ("CANCEL", (), 481),
    ("REFER", ("Refer-To: <sip:someone@example.com>",), 603),  # RFC 3515 section 2.4.2
    ("PUBLISH", ("Event: presence",), 405),
    ("REGISTER", (), 405),
    ("PING", (), 405),
)


def test_requests_outside_calls_are_answered(lease: Desk, stranger: Stranger) -> None:
    """RFC 3261 section 8.2. A platform that gets no answer considers the phone dead."""
    phone = lease("callee")
    for number, (method, headers, status) in enumerate(ASKED_OUTSIDE, 1):
        stranger.call_id = f"outside-{number}"
        stranger.says(phone, method, number, None, headers, "hello" if method == "MESSAGE" else "")
        response = stranger.final_response(method)
        assert response.status == status, (method, headers)
        assert response.has("Allow") == (
            status in (200, 405) and method not in ("MESSAGE", "NOTIFY")
        ), method


NOTIFY = ("Event: refer", "Subscription-State: active;expires=60", "Content-Type: message/sipfrag")


@pytest.mark.parametrize(
    ("answer", "headers", "status"),
    [
        pytest.param(202, [], 200, id="accepted"),
        pytest.param(603, [], 481, id="refused"),
        pytest.param(
            202, [("Refer-Sub", "false")], 481, id="accepted-without-a-subscription"
        ),  # RFC 4488 section 4
    ],
)
def test_a_notify_needs_an_accepted_refer(
    lease: Desk, stranger: Stranger, answer: int, headers: list[tuple[str, str]], status: int
) -> None:
    """RFC 6665 section 4.1.3: 481 where there is no subscription; the call goes on."""
    phone = lease("transferor")
    leg, call = talking(phone, stranger)
    leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
    stranger.respond(stranger.request("REFER"), answer, headers)
    assert (
        stranger.within(phone, "NOTIFY", 2, call, "SIP/2.0 100 Trying\r\n", NOTIFY).status == status
    )
    assert leg.state == "confirmed"
    stranger.hangs_up(phone, call)
    leg.wait_state("disconnected", 10)


def test_a_transferor_may_extend_its_subscription(own: Desk, stranger: Stranger) -> None:
    """RFC 3515 section 2.4.4: the REFER has made a subscription, which SUBSCRIBE extends or ends."""
    phone = own("caller", max_calls=2)
    _, call = talking(phone, stranger)
    target = f"Refer-To: <sip:{VOICE}@{stranger.host}:{stranger.port}>"
    assert stranger.within(phone, "REFER", 2, call, headers=(target,)).status == 202
    placed = stranger.request("INVITE")
    assert (
        stranger.within(phone, "SUBSCRIBE", 3, call, headers=("Event: refer", "Expires: 60")).status
        == 200
    )
    stranger.respond(placed, 486)
    stranger.hangs_up(phone, call)


def test_a_notify_may_precede_the_answer_to_the_refer(lease: Desk, stranger: Stranger) -> None:
    """RFC 6665 section 4.1.2.4."""
    phone = lease("transferor")
    leg, call = talking(phone, stranger)
    leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
    asked = stranger.request("REFER")
    assert stranger.within(phone, "NOTIFY", 2, call, "SIP/2.0 100 Trying\r\n", NOTIFY).status == 200
    stranger.respond(asked, 202)
    stranger.hangs_up(phone, call)
    leg.wait_state("disconnected", 10)


@pytest.mark.parametrize("method", ["INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "UPDATE"])
def test_of_a_call_that_is_over_a_platform_is_told_so(
    lease: Desk, stranger: Stranger, method: str
) -> None:
    """pjsip keeps the dialog for 32 s, and would answer 500; an INVITE would get no answer."""
    phone = lease("callee")
    leg, call = talking(phone, stranger)
    stranger.hangs_up(phone, call)
    leg.wait_closed()
    assert stranger.within(phone, method, 100, call).status == 481  # RFC 3261 section 12.2.2
