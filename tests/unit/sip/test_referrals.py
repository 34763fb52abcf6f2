"""A NOTIFY belongs to the REFER its Event names, and to the earliest that waits where it names none
(RFC 3515 section 2.4.6).
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.message import Message
from harness.sip.referrals import Referrals


def notify(event: str = "refer", state: str = "active") -> Message:
    return Message.parse(
        f"NOTIFY sip:a@192.0.2.1 SIP/2.0\r\nEvent: {event}\r\nSubscription-State: {state}\r\nCSeq: 7 NOTIFY\r\n\r\n"
    )


def sent(*numbers: int) -> Referrals:
    referrals = Referrals()
    for number in numbers:
        referrals.sent(number)
    return referrals


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, unique=True), st.data())
def test_whoever_is_named_is_meant(numbers: list[int], data: st.DataObject) -> None:
    referrals = sent(*numbers)
    for _ in range(3):
        named = data.draw(st.sampled_from(numbers))
        status = data.draw(st.sampled_from((0, 100, 200, 486)))
        assert referrals.of(notify(f"refer;id={named}"), status) == named
    assert referrals.last == numbers[-1]


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, unique=True))
def test_without_names_outcomes_come_in_the_order_of_the_refers(numbers: list[int]) -> None:
    referrals = sent(*numbers)
    told = [(referrals.of(notify(), 100), referrals.of(notify(), 200)) for _ in numbers]
    assert told == [(number, number) for number in numbers]
    assert referrals.of(notify(), 200) == numbers[-1]  # nobody waits: it is news of the last


@pytest.mark.parametrize(
    "event",
    [
        "refer",
        "refer;id=9",
        "refer;id=",
        "refer;id=x",
        "refer;id=99999999999",
        "refer;ID",
        "refer;id=²",
    ],
)
def test_a_name_that_nobody_has_is_none(event: str) -> None:
    assert sent(2, 3).of(notify(event), 100) == 2


def test_a_name_in_capitals_and_with_blanks_is_one() -> None:
    assert sent(2, 3).of(notify("refer ; ID = 3"), 100) == 3


@pytest.mark.parametrize("state", ["terminated", "Terminated;reason=noresource"])
def test_a_subscription_that_has_ended_waits_no_longer(state: str) -> None:
    referrals = sent(2, 3)
    assert referrals.of(notify(state=state), 0) == 2
    assert referrals.of(notify(), 200) == 3


def test_a_refused_refer_has_no_news() -> None:
    referrals = sent(2, 3)
    referrals.refused(2)
    referrals.refused(8)
    assert referrals.of(notify(), 200) == 3


def test_a_refer_sent_once_more_is_the_same() -> None:
    referrals = sent(2, 3, 2)
    assert referrals.last == 3
    referrals.of(notify(), 200)
    referrals.sent(2)
    assert referrals.of(notify(), 200) == 3


def test_of_a_refer_that_nobody_saw_nothing_is_known() -> None:
    assert Referrals().of(notify("refer;id=3"), 200) is None
