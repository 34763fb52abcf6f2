"""Media that is on hold only until the call is put together, as who connects two calls does it (RFC 3725)."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import ON_HOLD

WITHIN = {"to": "<sip:ai@192.0.2.60>;tag=b", "number": "7"}
TALKS = SDP.format(host="198.51.100.70", protocol="RTP/AVP", formats="0", lines="a=sendrecv\r\n")
HELD = TALKS.replace("sendrecv", "inactive")


def held_by_platform() -> Example:
    """The INVITE to the AI asks for silence at first."""
    return Example().dials().after(0.1).ai_gets(direction="inactive").ai_answers(200, "OK", sdp=HELD).answered().taken()


def fails(example: Example) -> Example:
    return (
        example.counted()
        .codec("caller.1", "PCMU")
        .record(witness={"codec": "PCMU"})
        .to_ai("no-rtp")
        .to_caller("no-rtp")
    )


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_platform_that_lifts_the_hold_has_not_kept_the_media_on_hold(method: str) -> None:
    example = held_by_platform()
    assert facts_of(fails(example.copy())).value("sdp.hold") == "the platform"
    example._sip("received", f"{method} sip:ai SIP/2.0", method, TALKS, **WITHIN)
    lifted = fails(example.ai_answers(200, "OK", method, sdp=TALKS, number="7"))
    assert facts_of(lifted).value("sdp.hold") is None
    assert [cause.id for cause in lifted.diagnose().causes] == ["rtp-blocked-both"]


def test_one_that_asks_for_it_again_has() -> None:
    example = held_by_platform()._sip("received", "INVITE sip:ai SIP/2.0", "INVITE", HELD, **WITHIN)
    assert facts_of(fails(example)).value("sdp.hold") == "the platform"


def test_of_an_ai_that_held_the_call_its_own_next_offer_tells() -> None:
    example = Example().dials().ai_gets().ai_answers(200, "OK", sdp=HELD).answered().taken()
    assert facts_of(fails(example.copy())).value("sdp.hold") == "the AI"
    example._sip("sent", "INVITE sip:x SIP/2.0", "INVITE", TALKS, to="<sip:x@y.example>;tag=p", number="9")
    assert facts_of(fails(example)).value("sdp.hold") is None


def test_so_it_is_with_the_caller() -> None:
    example = Example().dials().ai_gets().ai_answers(200, "OK", sdp=TALKS)
    example.asks("INVITE", 200, "OK", within=False, answer=ON_HOLD).answered().taken()
    assert facts_of(fails(example.copy())).value("caller.held") is True
    head = [
        "INVITE sip:caller SIP/2.0",
        "From: <sip:x@y.example>;tag=p",
        "To: <sip:c@y.example>;tag=c",
        "CSeq: 3 INVITE",
    ]
    text = "\r\n".join([*head, "Call-ID: at-the-caller", "Content-Type: application/sdp", "", TALKS])
    example.after(0.2)._at_caller("received", text, whole=True)
    assert facts_of(fails(example)).value("caller.held") is None
