"""A call that is ended for want of RTP is not dropped: what has to be mended is the way of its RTP."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import talk
from tests.unit.diagnosis.told_examples import taken_and_ended

#: As Kamailio with rtpengine, FreeSWITCH and others write it.


def late(reason: str) -> Example:
    """Both hear each other at first; after half a minute the platform ends the call."""
    example = talk(Example(row="LONGCALL")).to_ai().to_caller().after(31)
    example._sip("received", "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="3", Reason=reason)
    return example.caller_gets(f"BYE sip:caller SIP/2.0\r\nReason: {reason}").to_ai("no-rtp").to_caller("no-rtp")


def test_asterisks_word_for_it_is_that_of_a_channel_that_is_gone() -> None:
    """Its rtp_timeout hangs up with cause 44, which in a BYE says nothing of channels."""
    assert facts_of(late("Q.850;cause=44")).value("call.reason") is None
    assert named(late("Q.850;cause=44")) == [("call-dropped", "certain")]
    assert facts_of(taken_and_ended("Q.850;cause=34")).value("call.reason") == "the channels"
