"""Refused transfers that look like others: with credentials, on the caller's side, or for who asks alone."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.refused_transfer_examples import PASSED_ON, again, handed_on, nobodys, taken_then
from tests.unit.diagnosis.stories import GROUP, lost, transfer, warm
from tests.unit.diagnosis.transfer_examples import answered, own_call, though_there


def test_a_refer_whose_credentials_are_challenged_again_showed_some() -> None:
    assert named(again(407, "Proxy Authentication Required")) == [("transfer-call-challenged", "certain")]
    once = lost(transfer(Example()).ai_refers(GROUP).platform_says(401, "Unauthorized"))
    assert named(once) == [("transfer-call-challenged", "certain")]


def test_403_to_a_refer_with_credentials_may_be_for_these() -> None:
    assert named(again(403, "Forbidden")) == [("transfer-call-challenged", "likely"), ("refer-rejected", "likely")]
    assert named(answered(403, "Forbidden")) == [("refer-rejected", "certain")]


@pytest.mark.parametrize("code", [403, 405, 501, 603])
def test_who_hands_a_refer_on_may_hand_a_refusal_back(code: int) -> None:
    """The caller's carrier, say, which takes no REFER."""
    example = transfer(Example(line=PASSED_ON)).ai_refers(GROUP).platform_says(code)
    assert named(lost(example)) == [("refer-rejected", "likely")]


def test_a_call_that_the_caller_s_phone_placed_on_the_refer_was_not_the_platform_s_to_place() -> None:
    """Its NOTIFY is the phone's, which the platform handed back."""
    assert named(lost(handed_on(Example(line=PASSED_ON)).notified(503))) == [("refer-accepted-then-failed", "likely")]
    assert named(taken_then(503, "x")) == [("refer-accepted-then-failed", "certain")]


@pytest.mark.parametrize("words", ["Number not found", "Unknown number"])
def test_a_number_at_which_a_second_call_rings_the_group_is_not_nobody_s(words: str) -> None:
    assert named(though_there(answered(404, words))) == [("refer-rejected", "likely")]
    assert named(though_there(own_call(404, words))) == [("transfer-call-refused", "likely")]
    assert named(though_there(taken_then(404, words))) == [("refer-accepted-then-failed", "likely")]
    assert named(answered(404, words)) == [("number-unknown-at-platform", "certain")]


def test_nor_is_it_where_the_reason_says_so() -> None:
    assert named(though_there(nobodys(transfer(Example())))) == [("refer-rejected", "likely")]
    assert named(though_there(nobodys(warm(Example())))) == [("transfer-call-refused", "likely")]
    assert named(nobodys(transfer(Example()))) == [("number-unknown-at-platform", "certain")]
