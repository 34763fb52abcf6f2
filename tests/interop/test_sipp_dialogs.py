"""The corners of RFC 3261 and its neighbours, as a far end may take them: SIPp takes them all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.case.events import SipMessage
from harness.case.verdict import Verdict
from harness.phone.phone import Phone
from harness.sip.message import Message, Request
from tests.interop.meeting import ANSWER, GOODBYE, GREETING, Meet
from tests.interop.sipp import (
    pause,
    receive,
    request,
    respond,
    respond_within_dialog,
    response,
    sdp,
    speak,
)
from tools.interop.processes import PATIENCE

Lease = Callable[..., Phone]
RINGING = [receive("INVITE"), respond("180 Ringing")]


def last_request(messages: list[SipMessage]) -> Request:
    message = Message.parse(messages[-1].text)
    assert isinstance(message, Request)
    return message


# -- provisional responses


@pytest.mark.parametrize(
    "line",
    [
        "180 Ringing",
        "181 Call Is Being Forwarded",
        "182 Queued",
        "183 Session Progress",
        "199 Early Dialog Over",
    ],
)
def test_any_provisional_response_leaves_the_call_open(meet: Meet, line: str) -> None:
    with meet(
        [receive("INVITE"), respond(line), ANSWER, receive("ACK"), speak(), *GOODBYE]
    ) as meeting:
        meeting.answered()
        meeting.talks_and_ends()
        meeting.passes()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_reliable_provisional_response_is_acknowledged_once(meet: Meet, transport: str) -> None:
    """RFC 3262 section 4: PRACK for each RSeq, and none for a retransmission, which here has
    crossed the PRACK.
    """
    reliable = respond("183 Session Progress", sdp(), "Require: 100rel", "RSeq: 4711")
    steps = [
        receive("INVITE"),
        reliable,
        receive("PRACK"),
        reliable,
        respond_within_dialog("200 OK"),
        speak(),
    ]
    steps += [respond("180 Ringing", "", "Require: 100rel", "RSeq: 4712"), receive("PRACK")]
    steps += [respond_within_dialog("200 OK"), respond("200 OK", repeat=True), receive("ACK")]
    with meet([*steps, *GOODBYE], transport, reliable_provisional="optional") as meeting:
        meeting.answered()
        meeting.encounter.cast.expect(meeting.call).acknowledged_provisional()
        acknowledged = [Message.parse(m.text).get("RAck") for m in meeting.sent("PRACK ")]
        cseq = last_request(meeting.sent("INVITE ")).cseq.number
        assert acknowledged == [f"4711 {cseq} INVITE", f"4712 {cseq} INVITE"]
        meeting.talks_and_ends()
        meeting.passes()


# -- forks (RFC 3261 sections 12.1 and 13.2.2.4)


def test_fork_that_rings_twice_and_answers_once(meet: Meet) -> None:
    steps = [
        receive("INVITE"),
        respond("180 Ringing", branch_of_fork="-desk"),
        respond("180 Ringing"),
        ANSWER,
    ]
    with meet([*steps, receive("ACK"), speak(), *GOODBYE]) as meeting:
        meeting.answered()
        meeting.talks_and_ends()
        assert "-desk" not in meeting.sent("BYE ")[-1].text
        meeting.passes()


def test_early_media_of_one_fork_and_the_answer_of_another(meet: Meet) -> None:
    """The announcement comes from a port where the one who answers is not: what is heard has to
    follow the answer.
    """
    elsewhere = respond("183 Session Progress", sdp(port="9"), branch_of_fork="-announcement")
    with meet(
        [receive("INVITE"), elsewhere, pause(300), ANSWER, receive("ACK"), speak(), *GOODBYE]
    ) as meeting:
        meeting.answered()
        meeting.talks_and_ends()
        meeting.passes()


def test_fork_that_is_answered_twice(meet: Meet) -> None:
    """RFC 3261 section 13.2.2.4: both are acknowledged, and one of the two is ended."""
    first = [respond("200 OK", sdp()), receive("ACK"), speak()]
    second = [
        respond("200 OK", sdp(port="9"), branch_of_fork="-desk"),
        receive("ACK"),
        receive("BYE"),
    ]
    with meet([*RINGING, *first, *second, respond_within_dialog("200 OK"), *GOODBYE]) as meeting:
        meeting.answered()
        meeting.call.leg.wait(
            "the BYE of the second", lambda _: bool(meeting.sent("BYE ")), within=PATIENCE
        )
        assert meeting.hears().verdict is Verdict.PASSED, (
            meeting.encounter.context.evidence.findings
        )
        meeting.hangs_up()
        assert len(meeting.sent_anew("ACK ")) == 2
        assert ["-desk" in m.text for m in meeting.sent("BYE ")] == [True, False]
        meeting.fails("one party answers: 2 did: 200 came with 2 different tags", None)


# -- routes (RFC 3261 section 12.2.1.1)


@pytest.mark.parametrize(
    ("route", "user", "routes"),
    [
        ("<sip:[local_ip]:[local_port];lr;transport=[transport]>", "ai", [None]),
        # A first route without lr is an old router: it stands in the Request-URI, and the remote
        # target ends the routes.
        ("<sip:old-router@[local_ip]:[local_port];transport=[transport]>", "old-router", ["ai"]),
    ],
    ids=["loose", "strict"],
)
def test_requests_of_the_call_follow_its_route(
    meet: Meet, route: str, user: str, routes: list[str | None]
) -> None:
    answer = respond("200 OK", sdp(), f"Record-Route: {route}", repeat=True)
    with meet([*RINGING, answer, receive("ACK"), speak(), *GOODBYE]) as meeting:
        meeting.answered()
        meeting.talks_and_ends()
        for sent in ("ACK ", "BYE "):
            message = last_request(meeting.sent(sent))
            assert message.uri.user == user
            assert [hop.uri.user for hop in message.routes] == routes
            assert ("lr" in message.routes[0].uri.params) is ("lr" in route)
        meeting.passes()


# -- session timers (RFC 4028)


def test_longer_minimum_of_the_session_interval_is_honoured(meet: Meet) -> None:
    short = [
        receive("INVITE"),
        respond("422 Session Interval Too Small", "", "Min-SE: 120", repeat=True),
        receive("ACK"),
    ]
    answer = respond(
        "200 OK", sdp(), "Require: timer", "Session-Expires: 120;refresher=uac", repeat=True
    )
    steps = [*short, receive("INVITE"), answer, receive("ACK"), speak(), *GOODBYE]
    with meet(steps, session_timer="required", session_expires=90) as meeting:
        meeting.answered()
        meeting.encounter.cast.expect(meeting.call).session_interval_is_agreed()
        meeting.talks_and_ends()
        assert [Message.parse(m.text).get("Min-SE") for m in meeting.sent("INVITE ")] == [
            "90",
            "120",
        ]
        meeting.passes()


def test_refresh_by_the_far_end_changes_nothing(meet: Meet) -> None:
    refresh = request("INVITE", 10, sdp(), "Supported: timer", "Session-Expires: 90;refresher=uac")
    steps = [*GREETING, pause(300), refresh, response(200), request("ACK", 10)]
    update = request("UPDATE", 11, "", "Supported: timer", "Session-Expires: 90;refresher=uac")
    with meet([*steps, update, response(200), *GOODBYE]) as meeting:
        meeting.answered()
        meeting.answers("UPDATE", 200)
        meeting.talks_and_ends()
        meeting.passes()


# -- the shape of an answer


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_long_answer(meet: Meet, transport: str) -> None:
    """Up to 4000 octets, which is what pjsua2 2.15.1 takes; over UDP that is three fragments."""
    answer = respond(
        "200 OK", sdp(), *(f"X-Padding-{n}: {'x' * 200}" for n in range(15)), repeat=True
    )
    with meet([*RINGING, answer, receive("ACK"), speak(), *GOODBYE], transport) as meeting:
        meeting.answered()
        assert 3600 < len(meeting.received("SIP/2.0 200")[0].text) < 4000
        meeting.talks_and_ends()
        meeting.passes()


def test_session_description_inside_multipart(meet: Meet) -> None:
    """RFC 5621 section 3.1: a user agent has to understand multipart/mixed."""
    body = "\n".join(
        [
            "--part",
            "Content-Type: text/plain",
            "",
            "About this call",
            "--part",
            "Content-Type: application/sdp",
            "",
        ]
    )
    answer = respond(
        "200 OK",
        f"{body}\n{sdp()}\n\n--part--",
        content="multipart/mixed;boundary=part",
        repeat=True,
    )
    with meet([*RINGING, answer, receive("ACK"), speak(), *GOODBYE]) as meeting:
        meeting.answered()
        meeting.talks_and_ends()
        meeting.passes()


@pytest.mark.parametrize(
    ("direction", "sentence"),
    [
        ("recvonly", "caller.1 hears assistant main: no RTP packet arrived"),
        ("inactive", "caller.1 hears assistant main: no media was set up, so nothing arrived"),
    ],
)
def test_answer_that_sends_nothing(meet: Meet, direction: str, sentence: str) -> None:
    with meet(
        [
            *RINGING,
            respond("200 OK", sdp("0 101", direction), repeat=True),
            receive("ACK"),
            *GOODBYE,
        ]
    ) as meeting:
        meeting.answered()
        assert meeting.hears(within=1.0).verdict is Verdict.FAILED
        meeting.hangs_up()
        meeting.fails(sentence, "media-on-hold")


def test_unanswerable_challenge_ends_the_call(meet: Meet) -> None:
    challenge = (
        'Proxy-Authenticate: Digest realm="elsewhere", nonce="4f2a", algorithm=MD5, qop="auth"'
    )
    refusal = respond("407 Proxy Authentication Required", "", challenge, repeat=True)
    with meet([receive("INVITE"), refusal, receive("ACK")]) as meeting:
        meeting.is_never_answered()
        meeting.sipp.succeeds()
        assert len(meeting.sent_anew("INVITE ")) == 1
        meeting.fails(
            "the call is answered within 4 s: the call has ended with 407 Proxy Authentication Required",
            "credentials-not-sent",
        )


def test_refused_bye_still_ends_the_call(meet: Meet) -> None:
    """RFC 3261 section 15.1.1: whatever the answer, the session is over."""
    with meet(
        [*GREETING, receive("BYE"), respond_within_dialog("481 Call/Transaction Does Not Exist")]
    ) as meeting:
        meeting.answered()
        meeting.talks_and_ends()
        meeting.passes()
