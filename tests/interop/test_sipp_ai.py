"""SIPp as a far end that misbehaves. For each misbehaviour the harness either copes, or fails the case with the right words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from harness.events import CallState, MediaState, SipMessage
from harness.phone.pool import PhonePool
from harness.phone.waiter import NeverCame
from harness.scenario.ends import Call
from harness.simulation.addresses import Block
from harness.verdict import Verdict
from tests.interop.encounter import DID, Encounter, encounter
from tests.interop.platform import PHONES, SIPP
from tests.interop.processes import PATIENCE
from tests.interop.sipp import Sipp, pause, receive, request, respond, respond_within_dialog, response, sdp, speak

_number = count()


@dataclass
class Meeting:
    """A caller, and the SIPp it has called."""

    encounter: Encounter
    sipp: Sipp
    call: Call

    def answered(self) -> None:
        self.encounter.stage.expect(self.call).answered()

    def hears(self) -> Verdict:
        return self.encounter.hears(self.call, self.sipp.mark).verdict

    def acknowledges(self, times: int) -> None:
        """Wait until so many ACKs have been sent."""
        self.call.leg.wait(f"{times} ACKs", lambda _: len(self.sent("ACK ")) >= times, within=5)

    def sent(self, start: str) -> list[SipMessage]:
        return [m for m in self.call.messages() if m.direction == "sent" and m.text.startswith(start)]

    def received(self, start: str) -> list[SipMessage]:
        return [m for m in self.call.messages() if m.direction == "received" and m.text.startswith(start)]


Meet = Callable[..., AbstractContextManager[Meeting]]


@pytest.fixture
def meet(tmp_path: Path, block: Block, pool: PhonePool, marks: Iterator[int]) -> Meet:
    """``with meet(steps) as meeting``: SIPp plays the steps to a caller who has dialled."""

    @contextmanager
    def meet(steps: Sequence[str], **caller: object) -> Iterator[Meeting]:
        number = next(_number) % 30
        with (
            Sipp(tmp_path / "sipp", block[SIPP + number], steps) as sipp,
            encounter(tmp_path, pool, marks, block[PHONES + number], (sipp.host, sipp.port)) as met,
        ):
            yield Meeting(met, sipp, met.caller(**caller).dial(DID))

    return meet


ANSWER = respond("200 OK", sdp(), repeat=True)
GREETING = [receive("INVITE"), respond("180 Ringing"), ANSWER, receive("ACK"), speak()]
GOODBYE = [receive("BYE"), respond_within_dialog("200 OK")]


def test_rings_without_end(meet: Meet) -> None:
    steps = [receive("INVITE"), respond("180 Ringing"), receive("CANCEL"), respond_within_dialog("200 OK")]
    with meet([*steps, respond("487 Request Terminated", repeat=True), receive("ACK")]) as meeting:
        meeting.encounter.stage.expect(meeting.call).rings()
        with pytest.raises(NeverCame) as failed:
            meeting.encounter.stage.expect(meeting.call).answered(within=1.0)
        assert "expected caller.1 confirmed within 1 s; it never came" in str(failed.value)
        assert "← udp" in str(failed.value)
        assert "180 Ringing" in str(failed.value)
        meeting.call.cancel()
        meeting.sipp.succeeds()


def test_early_rtp_is_heard_before_the_answer(meet: Meet) -> None:
    steps = [receive("INVITE"), respond("183 Session Progress", sdp()), speak(), pause(1500), ANSWER, receive("ACK")]
    with meet([*steps, *GOODBYE]) as meeting:
        assert meeting.hears() is Verdict.PASSED
        assert meeting.call.answered_at() is None
        meeting.answered()
        assert meeting.hears() is Verdict.PASSED, meeting.encounter.stage.findings
        meeting.call.hang_up()
        meeting.sipp.succeeds()


def test_488_ends_the_wait_at_once_and_stands_in_the_message(meet: Meet) -> None:
    with meet([receive("INVITE"), respond("488 Not Acceptable Here", repeat=True), receive("ACK")]) as meeting:
        with pytest.raises(NeverCame) as failed:
            meeting.answered()
        meeting.sipp.succeeds()
        assert "the call has ended" in failed.value.finding.actual
        assert "488 Not Acceptable Here" in failed.value.finding.actual


def test_200_that_crosses_the_cancel_is_acknowledged_and_ended(meet: Meet) -> None:
    """RFC 3261 section 9.1: who cancels may still get a 200, and then has to hang up."""
    steps = [receive("INVITE"), respond("180 Ringing"), receive("CANCEL"), respond_within_dialog("200 OK")]
    with meet([*steps, ANSWER, receive("ACK"), *GOODBYE]) as meeting:
        meeting.encounter.stage.expect(meeting.call).rings()
        meeting.call.cancel()
        meeting.sipp.succeeds()
        meeting.call.leg.wait_closed(PATIENCE)
        assert [m.text.split()[0] for m in meeting.sent("")][-2:] == ["ACK", "BYE"]


def test_reinvite_of_the_far_end_changes_the_codec(meet: Meet) -> None:
    steps = [request("INVITE", 10, sdp("8 101", version=2)), response(200), request("ACK", 10)]
    with meet([*GREETING, pause(300), *steps, *GOODBYE], codecs=("PCMU", "PCMA")) as meeting:
        meeting.answered()
        meeting.call.leg.wait("PCMA", lambda e: isinstance(e, MediaState) and e.codec == "PCMA", within=5)
        meeting.call.hang_up()
        meeting.sipp.succeeds()


def test_reinvite_with_a_codec_nobody_asked_for_leaves_the_call_as_it_is(meet: Meet) -> None:
    """RFC 3261 section 14.2 has 488 for it; pjsua2 2.15.1 says 500. Either way the session stays (section 14.1)."""
    steps = [request("INVITE", 10, sdp("8 101", version=2)), response(500), request("ACK", 10)]
    with meet([*GREETING, pause(300), *steps, *GOODBYE], codecs=("PCMU",)) as meeting:
        meeting.answered()
        meeting.call.leg.wait("500", lambda e: isinstance(e, SipMessage) and e.text.startswith("SIP/2.0 500"), within=5)
        assert meeting.hears() is Verdict.PASSED, meeting.encounter.stage.findings
        assert meeting.call.codec == "PCMU"
        meeting.call.hang_up()
        meeting.sipp.succeeds()


def test_reinvite_that_holds_and_resumes(meet: Meet) -> None:
    hold, resume = sdp("0 101", "sendonly", version=2), sdp("0 101", "sendrecv", version=3)
    steps = [request("INVITE", 10, hold), response(200), request("ACK", 10), pause(300)]
    steps += [request("INVITE", 11, resume), response(200), request("ACK", 11)]
    with meet([*GREETING, *steps, *GOODBYE]) as meeting:
        meeting.answered()
        meeting.call.leg.wait("hold", lambda e: isinstance(e, MediaState) and e.direction == "recvonly", within=5)
        held = time.monotonic()
        meeting.call.leg.wait(
            "resume", lambda e: isinstance(e, MediaState) and e.direction == "sendrecv", within=5, since=held
        )
        assert meeting.hears() is Verdict.PASSED
        meeting.call.hang_up()
        meeting.sipp.succeeds()


def test_bye_with_a_body(meet: Meet) -> None:
    bye = request("BYE", 10, "The call was too long.", content="text/plain")
    with meet([*GREETING, pause(300), bye, response(200)]) as meeting:
        meeting.answered()
        meeting.encounter.stage.expect(meeting.call).released()
        meeting.sipp.succeeds()
        assert meeting.encounter.verdict is Verdict.PASSED
        assert "The call was too long." in meeting.received("BYE ")[0].text


def test_no_rtp(meet: Meet) -> None:
    with meet([*GREETING[:-1], *GOODBYE]) as meeting:
        meeting.answered()
        finding = meeting.encounter.hears(meeting.call, meeting.sipp.mark, within=2.0)
        assert finding.verdict is Verdict.FAILED
        assert "no RTP packet arrived" in finding.actual
        assert "RTP does not get from the AI to the caller" in meeting.encounter.diagnosis().headline
        meeting.call.hang_up()
        meeting.sipp.succeeds()


@pytest.mark.parametrize(
    "formats",
    [
        pytest.param(("111", "rtpmap:111 opus/48000/2"), id="opus-alone"),
        # RFC 3264 section 6.1: a codec SHOULD keep the payload type it had in the offer
        pytest.param(("96", "rtpmap:96 PCMU/8000"), id="payload-type-96-for-pcmu"),
    ],
)
def test_answer_without_a_codec_of_the_offer(meet: Meet, formats: tuple[str, str]) -> None:
    # pjsua2 sends its BYE right ahead of its ACK
    with meet([receive("INVITE"), respond("200 OK", sdp(*formats)), *GOODBYE]) as meeting:
        expect = meeting.encounter.stage.expect(meeting.call)
        meeting.call.released_at(time.monotonic() + 4)
        expect.codec()
        heard = meeting.encounter.hears(meeting.call, meeting.sipp.mark, within=0.5)
        codec, *_ = meeting.encounter.stage.findings
        state = meeting.call.state()
        meeting.sipp.succeeds()
        assert "the two sides use different codecs" in meeting.encounter.diagnosis().headline
        assert (
            (state.state, state.code, state.reason) == ("disconnected", 415, "SDP negotiation failed")
            if state
            else False
        )
        assert codec.verdict is heard.verdict is Verdict.FAILED
        assert heard.actual == "no media was set up, so nothing arrived"
        assert len(meeting.sent("ACK ")) == 1


def test_lost_ack_is_sent_again_for_each_200_and_the_call_is_one(meet: Meet) -> None:
    """RFC 3261 section 13.2.2.4: every retransmission of the 200 gets its ACK, the same one.

    SIPp says 200 again after 300 ms; then it takes each further ACK for a sign that its 200 was lost, so that dozens of both
    are exchanged until it goes on.
    """
    again = [pause(300), respond("200 OK", sdp())]
    with meet([receive("INVITE"), respond("200 OK", sdp()), receive("ACK"), speak(), *again, *GOODBYE]) as meeting:
        meeting.answered()
        assert meeting.hears() is Verdict.PASSED, meeting.encounter.stage.findings
        meeting.acknowledges(times=2)
        meeting.call.hang_up()
        meeting.sipp.succeeds()
        meeting.call.leg.wait_closed(PATIENCE)
        answers = [m for m in meeting.received("SIP/2.0 200") if " INVITE" in m.text]
        assert len(meeting.sent("ACK ")) == len(answers) >= 2
        assert len({m.text for m in meeting.sent("ACK ")}) == 1
        confirmed = [e for e in meeting.call.leg.events if isinstance(e, CallState) and e.state == "confirmed"]
        assert len(confirmed) == 1
        assert len(meeting.call.leg.phone.legs) == 1


@pytest.mark.parametrize(
    ("refer_to", "refusal"),
    [
        pytest.param("Refer-To: <sip:+19005550100@{host}>", 603, id="number-of-nobody-here"),
        pytest.param("Refer-To: <sip:+12085550151@192.0.2.1>", 603, id="host-of-nobody-here"),
        pytest.param("Refer-To: <tel:911>", 603, id="emergency-number"),
        pytest.param("Refer-To: <http://example.com/>", 603, id="another-scheme"),
        pytest.param("Refer-To: <sip:+12085550151@{host}", 603, id="unbalanced-bracket"),
        pytest.param("X-Refer-To: none", 400, id="none-at-all"),
        pytest.param("Refer-To: <sip:+12085550151@{host};method=BYE>", 603, id="another-method"),
        pytest.param(
            "Refer-To: <sip:+12085550151@{host}?Route=%3Csip:192.0.2.1%3E>", 603, id="header-that-leads-elsewhere"
        ),
    ],
)
def test_odd_refer_to_is_refused_and_calls_nobody(meet: Meet, refer_to: str, refusal: int) -> None:
    """RFC 3515 section 2.4.2; the call that is up goes on."""
    steps = [request("REFER", 10, "", refer_to.format(host="[local_ip]:[local_port]")), response(refusal)]
    with meet([*GREETING, *steps, *GOODBYE]) as meeting:
        meeting.answered()
        meeting.call.leg.wait(
            "an answer to the REFER",
            lambda e: isinstance(e, SipMessage) and e.direction == "sent" and "REFER" in e.text and e.text[:3] == "SIP",
            within=5,
        )
        assert meeting.hears() is Verdict.PASSED
        assert len(meeting.call.leg.phone.legs) == 1
        meeting.call.hang_up()
        meeting.sipp.succeeds()
