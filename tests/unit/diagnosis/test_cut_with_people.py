"""A call with an agent that the platform ends: what its BYE gives as Reason (RFC 3326) is why, and the end follows from it."""

from __future__ import annotations

import pytest

from harness.diagnosis.refusals import NO_RTP_CAME
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.transfer_examples import cut_with_the_agent


def named(example: Example) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", ("agent-call-dropped", "certain")),
        ('Q.850;cause=16;text="Normal call clearing"', ("agent-call-dropped", "certain")),
        ('SIP;cause=200;text="Call completed elsewhere"', ("agent-call-dropped", "certain")),
        ('Q.850;cause=88;text="Incompatible destination"', ("g711-one-side", "likely")),
        ('SIP;cause=488;text="Not Acceptable Here"', ("g711-one-side", "likely")),
        ('SIP;cause=488;text="SRTP required"', ("agent-call-dropped", "likely")),
        ('FreeSWITCH;cause=604;text="MEDIA_TIMEOUT"', ("transfer-no-audio", "likely")),
        ('Q.850;cause=34;text="No circuit/channel available"', ("platform-full", "likely")),
    ],
)
def test_what_the_bye_says_comes_before_that_the_call_was_ended(reason: str, told: tuple[str, str]) -> None:
    assert named(cut_with_the_agent(reason)) == [told]


def test_either_end_s_bye_may_say_it() -> None:
    example = cut_with_the_agent()
    example.caller_gets('BYE sip:caller SIP/2.0\r\nReason: Q.850;cause=31;text="RTP Timeout"').with_agent(
        "billing", "no-rtp"
    )
    assert facts_of(example).value("agent.reason") == NO_RTP_CAME
