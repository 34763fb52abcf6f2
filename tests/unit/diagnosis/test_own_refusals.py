"""A harness phone that refuses a call by itself tells what for; whoever had it called has done what it was to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.leg_examples import NO_G711
from tests.unit.diagnosis.own_examples import (
    SRTP_ALONE,
    refused_by_an_agent,
    refused_by_the_customer,
    refused_by_the_fallback,
)

PLACES: list[tuple[Callable[..., Example], str]] = [
    (refused_by_an_agent, "agent"),
    (refused_by_the_fallback, "agent"),
    (refused_by_the_customer, "customer"),
]


@pytest.mark.parametrize(("refused", "who"), PLACES)
def test_srtp_alone_is_no_want_of_a_codec(refused: Callable[..., Example], who: str) -> None:
    """RTP/SAVP that a phone without SRTP is offered gets 488, whatever its codecs."""
    assert named(refused(488, SRTP_ALONE)) == [("harness-phone-refuses", "likely")]
    no_codec = "agent-no-common-codec" if who == "agent" else "harness-phone-refuses"
    assert named(refused(488, NO_G711)) == [(no_codec, "certain")]
    assert (no_codec, "certain") not in named(refused(488)), "it was offered a codec that it speaks"


@pytest.mark.parametrize(("refused", "who"), PLACES)
def test_an_extension_that_a_phone_does_not_have(refused: Callable[..., Example], who: str) -> None:
    """RFC 3261 section 8.2.2.3. The fallback was there, the campaign had called, and the transfer was carried out."""
    assert named(refused(420)) == [("harness-phone-refuses", "certain")]


def test_that_the_customer_s_phone_did_not_ring_may_be_the_carrier_s() -> None:
    campaign = Example(row="TD-OUTBOUND-CAMPAIGN", line="campaign").landed("customer")
    assert named(campaign) == [("campaign-not-dialled", "likely")]
