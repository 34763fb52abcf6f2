"""What others send to a softphone's port must neither kill it nor decide a case."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.phone import Answer, Early, Policy, Reject, Ring
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.sip.message import Request
from tests.process.phone.conftest import Desk, connect, hears, uri_of
from tests.stranger import AUDIO, SESSION, Stranger, answered, talking


def lives(phone: Phone) -> bool:
    """Whether its process still answers."""
    return phone.options(uri_of(phone))[0] == 200


@pytest.mark.parametrize(
    "line", ["SIP/2.0 ²²² OK", "SIP/2.0 ٢٠٠ OK", "INVITE ² SIP/2.0", "²" * 800]
)
def test_digits_of_other_scripts_kill_no_phone(lease: Desk, stranger: Stranger, line: str) -> None:
    phone = lease("callee")
    headers = f"Call-ID: ²\r\nCSeq: ² INVITE\r\nVia: SIP/2.0/UDP {stranger.host}:²;branch=z9hG4bK²\r\n\r\n"
    stranger.sends(phone, f"{line}\r\n{headers}")
    assert lives(phone)


@pytest.mark.parametrize(
    ("policy", "status"),
    [(Reject(603), 603), (Reject(486), 486), (Answer(), 200), (Reject(480, "away"), 480)],
)
def test_a_call_without_sdp_is_answered_as_the_policy_says(
    lease: Desk, stranger: Stranger, policy: Policy, status: int
) -> None:
    """RFC 3261 section 14.1 and 13.2.1: the offer may come with the answer. pjsua asserts on an
    answer within its callback.
    """
    phone = lease("callee")
    phone.policy = policy
    answer = stranger.calls(phone, "")
    assert answer.status == status
    assert lives(phone)
    if status == 200:
        assert "m=audio" in answer.body.decode()
        stranger.hangs_up(phone, answer)


@pytest.mark.parametrize("policy", [Ring(), Early()])
def test_a_call_without_sdp_that_rings_is_answered_later(
    lease: Desk, stranger: Stranger, policy: Policy
) -> None:
    phone = lease("callee")
    phone.policy = policy
    leg, answer = answered(phone, stranger, "")
    assert answer.status == 200
    leg.wait_state("connecting", 10)
    assert lives(phone)


@pytest.mark.parametrize("value", ["", "<>", " ", "nobody", "sip:", "<sip:>"])
def test_a_refer_to_nowhere_is_refused(lease: Desk, stranger: Stranger, value: str) -> None:
    phone = lease("callee")
    leg, call = talking(phone, stranger)
    response = stranger.within(phone, "REFER", 2, call, headers=(f"Refer-To: {value}",))
    assert 400 <= response.status < 700
    assert leg.successor is None
    assert lives(phone)
    stranger.hangs_up(phone, call)


def test_what_was_said_is_for_its_owner_alone(lease: Desk) -> None:
    out, back = connect(lease("alice"), lease("bob"))
    hears(back, out)
    out.hangup()
    for leg in (out, back):
        leg.wait_closed()
    files = [path for path in lease.directory.iterdir() if path.is_file()]
    assert len(files) == 6
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_a_method_that_is_two_is_refused(lease: Desk, stranger: Stranger) -> None:
    """RFC 3261 section 8.1.1.5: the Request-Line and CSeq name the same, within a dialog and
    outside of one.
    """
    phone = lease("callee")
    leg, call = talking(phone, stranger)
    invite = leg.invite.text
    pairs = [
        ("REFER", "INVITE"),
        ("INFO", "BYE"),
        ("ACK", "SUBSCRIBE"),
        ("SUBSCRIBE", "ACK"),
        ("BYE", "ACK"),
    ]
    for number, (line, cseq) in enumerate(pairs, start=2):
        forged = invite.replace("INVITE ", f"{line} ", 1).replace(
            "CSeq: 1 INVITE", f"CSeq: {number} {cseq}"
        )
        forged = forged.replace("branch=z9hG4bK", f"branch=z9hG4bK{line}")
        stranger.sends(phone, forged)
        forged = forged.replace("branch=z9hG4bK", "branch=z9hG4bKwithin")
        forged = forged.replace("To: <", f"To: {call.get('To')}\r\nX: <")
        stranger.sends(phone, forged)
    assert lives(phone)
    assert leg.state == "confirmed"
    stranger.says(phone, "BYE", 99, call)
    while (answer := stranger.final_response("BYE")).cseq.number != 99:
        assert answer.status == 400
    assert answer.status == 200


@pytest.mark.parametrize("within", [False, True])
def test_an_offer_of_more_media_than_there_are_sockets_is_refused(
    lease: Desk, stranger: Stranger, within: bool
) -> None:
    phone = lease("callee", max_calls=3)
    phone.policy = Answer()
    many = SESSION.format(host=stranger.host) + "m=audio 4000 RTP/AVP 0\n" * 17
    if within:
        call = stranger.calls(phone, SESSION + AUDIO)
        headers = ("Content-Type: application/sdp",)
        assert stranger.within(phone, "INVITE", 2, call, many, headers).status == 488
        stranger.hangs_up(phone, call)
    else:
        assert stranger.calls(phone, many).status == 488
    assert lives(phone)


def test_an_offer_of_no_media_is_read_and_not_acceptable(lease: Desk, stranger: Stranger) -> None:
    """RFC 3264 section 5: zero or more media streams, so that nothing about it is malformed (RFC
    3261 section 21.4.26).
    """
    phone = lease("callee")
    phone.policy = Answer()
    assert stranger.calls(phone, SESSION.format(host=stranger.host)).status == 488
    assert lives(phone)


@pytest.mark.parametrize("policy", [Answer(), Reject(486)])
def test_an_ack_without_a_tag_ends_no_process(
    lease: Desk, stranger: Stranger, policy: Policy
) -> None:
    """As RFC 2543 still had it. The response comes again, until an ACK as it has to be."""
    phone = lease("callee")
    phone.policy = policy
    offer = (SESSION + AUDIO).format(host=stranger.host, port=stranger.rtp.getsockname()[1])
    stranger._send(phone, "INVITE", 1, offer, headers=("Content-Type: application/sdp",))
    answer = stranger.final_response("INVITE")
    stranger.says(phone, "ACK", 1, None)
    assert stranger.final_response("INVITE").status == answer.status
    stranger.says(phone, "ACK", 1, answer)
    assert lives(phone)
    if answer.status == 200:
        stranger.hangs_up(phone, answer)


@pytest.mark.parametrize(
    "extra",
    ["To: <sip:x@y>", "f: <sip:x@y>;tag=2", "i: another", "CSeq: 2 BYE", "Subject: x\rX-Y: z"],
)
def test_a_request_that_says_twice_what_it_can_say_once_is_malformed(
    lease: Desk, stranger: Stranger, extra: str
) -> None:
    phone = lease("callee")
    leg, call = talking(phone, stranger)
    stranger.says(phone, "BYE", 2, call, headers=(extra,))
    assert lives(phone)
    assert leg.state == "confirmed"
    stranger.hangs_up(phone, call)


def dialled(phone: Phone, stranger: Stranger, headers: Sequence[tuple[str, str]]) -> Leg:
    """A call of the phone's, answered with these headers."""
    leg = phone.dial(f"sip:+12065550177@{stranger.address}")
    invite = stranger.request("INVITE")
    offer = (
        (SESSION + AUDIO)
        .format(host=stranger.host, port=stranger.rtp.getsockname()[1])
        .replace("\n", "\r\n")
    )
    stranger.respond(invite, 200, [*headers, ("Content-Type", "application/sdp")], offer)
    leg.wait_state("confirmed", 10)
    return leg


def hangs_up(leg: Leg, stranger: Stranger) -> None:
    leg.hangup()
    stranger.respond(stranger.request("BYE"), 200)
    leg.wait_state("disconnected", 10)


@pytest.mark.parametrize(
    "headers",
    [
        [("Contact", "<tel:+12065550177>")],
        [("Contact", "<http://x/>")],
        [("Record-Route", "<tel:+12065550177>")],
        [("Contact", "<sip:a@{there};transport=tcp>")],
        [("Contact", "<sips:a@{there}>")],
        [
            ("Contact", "<sip:a@192.0.2.1;transport=tls>"),
            ("Record-Route", "<sip:{there};transport=tcp;lr>"),
        ],
        [("Contact", "<sips:a@192.0.2.1>"), ("Record-Route", "<sip:{there};lr>")],
    ],
)
def test_an_answer_that_leads_nowhere_or_to_another_transport_ends_no_process(
    lease: Desk, stranger: Stranger, headers: list[tuple[str, str]]
) -> None:
    """RFC 3263 section 4.1: a proxy's other side, and whoever is behind it, may be reached
    otherwise; a phone has one transport.
    """
    phone = lease("caller")
    told = [(name, value.format(there=stranger.address)) for name, value in headers]
    leg = dialled(phone, stranger, told)
    assert stranger.request("ACK").via.transport == "UDP"
    hangs_up(leg, stranger)
    assert phone.process.lost is None
    assert any(f"{told[0][0]}: {told[0][1]}" in message.text for message in leg.messages), (
        "told as it came"
    )


@pytest.mark.parametrize(
    "header", ["Contact: <sip:a@{there};transport=tcp>", "Record-Route: <sips:{there};lr>"]
)
def test_a_call_that_leads_to_another_transport_is_hung_up(
    lease: Desk, stranger: Stranger, header: str
) -> None:
    phone = lease("callee")
    line = header.format(there=stranger.address)
    stranger.writes = lambda head: "\r\n".join(
        [*(old for old in head.split("\r\n") if line[:7] != old[:7]), line]
    )
    leg, _ = talking(phone, stranger)
    hangs_up(leg, stranger)


LONGEST = str(2**32 - 1)


@pytest.mark.parametrize(
    "headers",
    [
        [("Contact", "*")],
        [("Expires", LONGEST)],
        [("Contact", f"<sip:a@192.0.2.1>;expires={LONGEST}")],
        [("Service-Route", "<sip:192.0.2.1;lr>")] * 40,
    ],
)
def test_no_answer_of_a_registrar_ends_a_process(
    lease: Desk, stranger: Stranger, headers: list[tuple[str, str]]
) -> None:
    """RFC 3261 section 20.19: a time may have any 32 bits."""
    phone = lease("agent", proxy=stranger.address)
    with ThreadPoolExecutor() as pool:
        registered = pool.submit(phone.register, within=10.0)
        stranger.respond(stranger.request("REGISTER"), 200, headers)
        assert registered.result().active
        released = pool.submit(phone.release)
        stranger.respond(stranger.request("REGISTER"), 200)
        released.result()


def test_no_registrar_has_a_phone_ask_without_end(lease: Desk, stranger: Stranger) -> None:
    """pjsip obeys each Min-Expires at once: thousands of requests in seconds."""
    phone = lease("agent", proxy=stranger.address)
    with ThreadPoolExecutor() as pool:
        registered = pool.submit(phone.register, within=10.0)
        asked = 0
        while not registered.done():
            message = stranger.next(0.2)
            if isinstance(message, Request) and asked < 50:
                asked += 1
                stranger.respond(message, 423, [("Min-Expires", str(600 + asked))])
        state = registered.result()
    assert (state.code, state.active) == (423, False)
    assert asked < 5
