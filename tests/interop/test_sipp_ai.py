"""SIPp as an AI that misbehaves. Of each misbehaviour the harness either says nothing, or what it
is and whose.
"""

from __future__ import annotations

import time

import pytest

from harness.case.events import CallState, MediaState
from harness.case.verdict import Verdict
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

TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@TRANSPORTS
def test_rings_without_end(meet: Meet, transport: str) -> None:
    steps = [
        receive("INVITE"),
        respond("180 Ringing"),
        receive("CANCEL"),
        respond_within_dialog("200 OK"),
    ]
    with meet(
        [*steps, respond("487 Request Terminated", repeat=True), receive("ACK")], transport
    ) as meeting:
        meeting.encounter.cast.expect(meeting.call).rings()
        meeting.is_never_answered(within=1.0)
        meeting.call.cancel()
        meeting.sipp.succeeds()
        meeting.fails("the call is answered within 1 s: it never came", "ai-never-answers")


@TRANSPORTS
def test_early_rtp_is_heard_before_the_answer(meet: Meet, transport: str) -> None:
    steps = [
        receive("INVITE"),
        respond("183 Session Progress", sdp()),
        speak(),
        pause(3000),
        ANSWER,
        receive("ACK"),
    ]
    with meet([*steps, *GOODBYE], transport) as meeting:
        assert meeting.hears().verdict is Verdict.PASSED
        assert meeting.call.answered_at() is None
        meeting.answered()
        meeting.talks_and_ends()
        meeting.passes()


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("404 Not Found", "assistant-not-attached"),
        ("408 Request Timeout", "assistant-not-attached"),
        ("480 Temporarily Unavailable", "assistant-not-attached"),
        ("486 Busy Here", "concurrency-exhausted"),
        ("488 Not Acceptable Here", "no-g711"),
        ("500 Server Internal Error", "assistant-not-attached"),
        ("503 Service Unavailable", "concurrency-exhausted"),
        ("600 Busy Everywhere", "concurrency-exhausted"),
        ("603 Decline", "concurrency-exhausted"),
    ],
)
def test_refusal_ends_the_wait_at_once_and_stands_in_the_message(
    meet: Meet, line: str, cause: str
) -> None:
    with meet([receive("INVITE"), respond(line, repeat=True), receive("ACK")]) as meeting:
        meeting.is_never_answered()
        meeting.sipp.succeeds()
        meeting.fails(f"the call is answered within 4 s: the call has ended with {line}", cause)


@TRANSPORTS
def test_200_that_crosses_the_cancel_is_acknowledged_and_ended(meet: Meet, transport: str) -> None:
    """RFC 3261 section 9.1: who cancels may still get a 200, and then has to hang up."""
    steps = [
        receive("INVITE"),
        respond("180 Ringing"),
        receive("CANCEL"),
        respond_within_dialog("200 OK"),
    ]
    with meet([*steps, ANSWER, receive("ACK"), *GOODBYE], transport) as meeting:
        meeting.encounter.cast.expect(meeting.call).rings()
        meeting.call.cancel()
        meeting.sipp.succeeds()
        meeting.call.leg.wait_closed(PATIENCE)
        assert [m.text.split()[0] for m in meeting.sent("")][-2:] == ["ACK", "BYE"]
        meeting.passes()


@TRANSPORTS
def test_reinvite_of_the_far_end_changes_the_codec(meet: Meet, transport: str) -> None:
    steps = [request("INVITE", 10, sdp("8 101", version=2)), response(200), request("ACK", 10)]
    with meet(
        [*GREETING, pause(300), *steps, *GOODBYE], transport, codecs=("PCMU", "PCMA")
    ) as meeting:
        meeting.answered()
        meeting.call.leg.wait(
            "PCMA", lambda e: isinstance(e, MediaState) and e.codec == "PCMA", within=PATIENCE
        )
        meeting.is_acknowledged(10)
        meeting.hangs_up()
        meeting.passes()


def test_reinvite_that_holds_and_resumes(meet: Meet) -> None:
    hold, resume = sdp("0 101", "sendonly", version=2), sdp("0 101", "sendrecv", version=3)
    steps = [request("INVITE", 10, hold), response(200), request("ACK", 10), pause(300)]
    steps += [request("INVITE", 11, resume), response(200), request("ACK", 11)]
    with meet([*GREETING, *steps, *GOODBYE]) as meeting:
        meeting.answered()
        wait = meeting.call.leg.wait
        held = wait(
            "hold", lambda e: isinstance(e, MediaState) and e.direction == "recvonly", PATIENCE
        ).at
        wait(
            "resume",
            lambda e: isinstance(e, MediaState) and e.direction == "sendrecv",
            PATIENCE,
            since=held,
        )
        meeting.is_acknowledged(11)
        meeting.talks_and_ends()
        meeting.passes()


@TRANSPORTS
def test_bye_with_a_body(meet: Meet, transport: str) -> None:
    bye = request("BYE", 10, "The call was too long.", content="text/plain")
    with meet([*GREETING, pause(300), bye, response(200)], transport) as meeting:
        meeting.answered()
        meeting.encounter.cast.expect(meeting.call).released()
        meeting.sipp.succeeds()
        assert "The call was too long." in meeting.received("BYE ")[0].text
        meeting.passes()


@TRANSPORTS
def test_no_rtp(meet: Meet, transport: str) -> None:
    with meet([*GREETING[:-1], *GOODBYE], transport) as meeting:
        meeting.answered()
        finding = meeting.hears(within=2.0)
        assert finding.verdict is Verdict.FAILED
        assert "no RTP packet arrived" in finding.actual
        meeting.hangs_up()
        meeting.fails(
            "caller.1 hears assistant main: no RTP packet arrived", "rtp-blocked-to-caller"
        )


@pytest.mark.parametrize(
    ("description", "cause"),
    [
        pytest.param(sdp("111", "rtpmap:111 opus/48000/2"), "answer-unusable", id="opus-alone"),
        # RFC 3264 section 6.1: a codec SHOULD keep the payload type it had in the offer
        pytest.param(
            sdp("96", "rtpmap:96 PCMU/8000"), "g711-one-side", id="payload-type-96-for-pcmu"
        ),
    ],
)
def test_answer_without_a_codec_of_the_offer(meet: Meet, description: str, cause: str) -> None:
    # pjsua2 sends its BYE right ahead of its ACK
    with meet([receive("INVITE"), respond("200 OK", description), *GOODBYE]) as meeting:
        expect = meeting.encounter.cast.expect(meeting.call)
        meeting.call.released_at(time.monotonic() + PATIENCE)
        expect.codec()
        heard = meeting.hears(within=0.5)
        state = meeting.call.state()
        meeting.sipp.succeeds()
        assert heard.actual == "no media was set up, so nothing arrived"
        assert state
        assert (state.state, state.code, state.reason) == (
            "disconnected",
            415,
            "SDP negotiation failed",
        )
        assert len(meeting.sent_anew("ACK ")) == 1
        meeting.fails("PCMU or PCMA: no codec was negotiated", cause)


def test_lost_ack_is_sent_again_for_each_200(meet: Meet) -> None:
    """RFC 3261 section 13.2.2.4: every retransmission of the 200 gets its ACK, the same one.

    SIPp says 200 again after 300 ms; then it takes each further ACK for a sign that its 200 was
    lost, so that dozens of both are exchanged until it goes on.
    """
    again = [pause(300), respond("200 OK", sdp())]
    with meet(
        [receive("INVITE"), respond("200 OK", sdp()), receive("ACK"), speak(), *again, *GOODBYE]
    ) as meeting:
        meeting.answered()
        assert meeting.hears().verdict is Verdict.PASSED, (
            meeting.encounter.context.evidence.findings
        )
        meeting.call.leg.wait(
            "a second ACK", lambda _: len(meeting.sent("ACK ")) >= 2, within=PATIENCE
        )
        meeting.hangs_up()
        answers = [m for m in meeting.received("SIP/2.0 200") if " INVITE" in m.text]
        assert len(meeting.sent("ACK ")) == len(answers) >= 2
        assert len({m.text for m in meeting.sent("ACK ")}) == 1
        confirmed = [
            e
            for e in meeting.call.leg.events
            if isinstance(e, CallState) and e.state == "confirmed"
        ]
        assert len(confirmed) == 1
        assert len(meeting.call.leg.phone.legs) == 1
        meeting.passes()
