"""Where the AI is told to send its audio, when a call is changed."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import call, facts_of

PUBLIC, PRIVATE = "198.51.100.70", "10.1.2.3"


def _changed(ai: str, method: str, first: str, then: str, *, refused: bool = False) -> Example:
    """The platform gives the AI another address within the call, and the caller hears nothing of the AI."""
    body = SDP.format(host=then, protocol="RTP/AVP", formats="0", lines="")
    example = call(ai=ai).ai_gets(address=first).ai_answers(200, "OK").answered().taken().after(0.1)
    example._sip("received", f"{method} sip:ai SIP/2.0", method, body, to="<sip:ai@192.0.2.60>;tag=b", number="2")
    example.ai_answers(488 if refused else 200, method=method, number="2")
    return example.after(4).to_ai().to_caller("no-rtp")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(("first", "then", "told"), [(PUBLIC, PRIVATE, "private"), (PRIVATE, PUBLIC, "reachable")])
def test_the_newest_sdp_says_where_the_ai_sends(method: str, first: str, then: str, told: str) -> None:
    """RFC 3264 section 8, and RFC 3261 section 14.1: one that was refused leaves the one before it."""
    changed, refused = (_changed("stand-in", method, first, then, refused=refused) for refused in (False, True))
    assert facts_of(changed).value("sdp.to_ai") == told
    assert ("sdp-private-address" in [cause.id for cause in changed.diagnose().causes]) is (told == "private")
    assert facts_of(refused).value("sdp.to_ai") == ("reachable" if told == "private" else "private")


def test_nobody_can_tell_which_of_two_addresses_in_a_record_was_the_newest_when_the_audio_failed() -> None:
    """Its messages have no time: one of them may have come later."""
    assert facts_of(_changed("synthflow", "INVITE", PUBLIC, PRIVATE)).value("sdp.to_ai") is None
    assert facts_of(_changed("synthflow", "INVITE", PRIVATE, PUBLIC)).value("sdp.to_ai") is None
    assert facts_of(_changed("synthflow", "INVITE", PUBLIC, "198.51.100.71")).value("sdp.to_ai") == "reachable"
    certain = [
        c for c in _changed("synthflow", "INVITE", PUBLIC, PRIVATE).diagnose().causes if c.confidence == "certain"
    ]
    assert not certain
