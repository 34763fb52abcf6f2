"""A call that is ended for want of RTP is not dropped: what has to be mended is the way of its RTP."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import talk
from tests.unit.diagnosis.told_examples import taken_and_ended

#: As Kamailio with rtpengine, FreeSWITCH and others write it.
TIMEOUTS = (
    'SIP;cause=200;text="RTP Timeout"',
    'FreeSWITCH;cause=804;text="MEDIA_TIMEOUT"',
    'SIP;cause=500;text="No RTP received"',
    'Q.850;cause=31;text="media inactivity"',
)


def late(reason: str) -> Example:
    """Both hear each other at first; after half a minute the platform ends the call."""
    example = talk(Example(row="LONGCALL")).to_ai().to_caller().after(31)
    example._sip("received", "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="3", Reason=reason)
    return example.caller_gets(f"BYE sip:caller SIP/2.0\r\nReason: {reason}").to_ai("no-rtp").to_caller("no-rtp")


def by_ai(reason: str) -> Example:
    """The AI takes the call, and ends it; the platform keeps the reason to itself."""
    example = talk(Example(ai="stand-in")).ai_answers(200, "OK")
    example._sip("received", "ACK sip:ai SIP/2.0", "ACK", to="<sip:ai@192.0.2.60>;tag=b").after(30)
    example._sip("sent", "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="3", Reason=reason)
    return example.caller_gets("BYE sip:caller SIP/2.0").to_ai("no-rtp").to_caller("no-rtp")


@pytest.mark.parametrize("reason", TIMEOUTS)
def test_who_hangs_up_for_want_of_rtp_says_where_none_came(reason: str) -> None:
    assert named(taken_and_ended(reason)) == [("rtp-blocked-both", "likely")]
    assert named(late(reason)) == [("rtp-blocked-after-10s", "likely")]
    assert named(by_ai(reason)) == [("rtp-blocked-to-ai", "likely")]


def test_asterisks_word_for_it_is_that_of_a_channel_that_is_gone() -> None:
    """Its rtp_timeout hangs up with cause 44, which in a BYE says nothing of channels."""
    assert facts_of(late("Q.850;cause=44")).value("call.reason") is None
    assert named(late("Q.850;cause=44")) == [("call-dropped", "certain")]
    assert facts_of(taken_and_ended("Q.850;cause=34")).value("call.reason") == "the channels"


def test_a_codec_that_asterisk_cannot_use_is_told_by_cause_58() -> None:
    """It answers, and ends the call as bearer capability not available."""
    assert named(taken_and_ended("Q.850;cause=58")) == [("g711-one-side", "likely")]


def test_the_caller_s_phone_alone_sees_that_rtp_stayed_away() -> None:
    seen = late(TIMEOUTS[0]).diagnose("caller")
    assert [cause.id for cause in seen.causes] == ["rtp-blocked-after-10s"]
