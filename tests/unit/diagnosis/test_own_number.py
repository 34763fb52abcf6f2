"""A caller's phone whose own From is not its number: who passes that on has changed nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.audio_examples import shows_its_account
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import talk


def named(example: Example) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


def shown(user: str, own: str, row: str = "TD-INBOUND") -> Example:
    example = talk(Example(row=row), shown=f"<sip:{user}@platform.example>;tag=a")
    return shows_its_account(example, own).to_ai().to_caller()


@pytest.mark.parametrize("user", ["sip4711", "alice"])
def test_what_the_caller_s_phone_sent_is_not_the_platform_s_override(user: str) -> None:
    """An account's name, which its carrier was to replace by the number."""
    assert named(shown(user, own=user).caller_id("the AI", user)) == [("caller-number-not-sent", "certain")]


def test_another_number_than_the_phone_sent_is() -> None:
    assert named(shown("4711", own="sip4711").caller_id("the AI", "4711")) == [("from-other-number", "certain")]


def test_a_form_of_the_number_that_was_sent_so_is_for_the_trunk_to_normalise() -> None:
    example = shown("4155550101", own="4155550101").caller_id("the AI", "4155550101")
    assert facts_of(example).value("caller_id.own") is None
    assert named(example) == [("from-national", "certain")]


def test_an_agent_who_is_shown_it_lost_nothing_in_the_transfer() -> None:
    example = shown("sip4711", own="sip4711", row="TD-TRANSFER-BLIND").rings("billing").landed("billing", "billing")
    assert named(example.caller_id("billing.1", "sip4711")) == [("caller-number-not-sent", "certain")]


def test_a_caller_s_own_number_where_the_handover_shows_another_was_sent_as_it_should_be() -> None:
    """As by a handover that shows the caller's, made in place of one that shows a fixed number."""
    caller = "+14155550101"
    example = shown(caller, own=caller, row="TD-TRANSFER-WARM").rings("billing").landed("billing", "billing")
    facts: dict[str, Any] = {"from_user": caller, "from_e164": caller, "anonymous": False, "asserted": []}
    example.finding("caller_id", "billing.1", False, number="+15035550144", **facts)
    assert facts_of(example).value("caller_id.agent") == "another number"
    assert facts_of(example).value("caller_id.own") is None


@pytest.mark.parametrize("values", [["sip4711"], []])
def test_a_header_that_the_platform_fills_with_the_caller_s_number_has_no_other_to_fill_it_with(
    values: list[str],
) -> None:
    """Gladly's X-Gladly-Caller-Id is made of the number that the platform got."""
    example = talk(Example("gladly", "GL-HEADER-CALLER", transport="tls"), shown="<sip:sip4711@platform.example>;tag=a")
    example = shows_its_account(example, "sip4711").to_ai().to_caller()
    example.finding("header", "assistant main", header="X-Gladly-Caller-Id", values=values, value=example.caller)
    assert named(example) == [("caller-number-not-sent", "certain")]


def test_a_number_in_e164_where_the_file_says_national_is_not_said_to_lack_its_country() -> None:
    """It was "not in E.164" for certain, with the fix to have it so, of a platform that sends what the guides ask for."""
    caller = "+14155550101"
    example = (
        talk(Example(number_format="national"), shown=f"<sip:{caller}@platform.example>;tag=a").to_ai().to_caller()
    )
    assert named(example.caller_id("the AI", caller)) == [("number-format-differs", "certain")]
    national = shown("4155550101", own="4155550101").caller_id("the AI", "4155550101")
    assert named(national) == [("from-national", "certain")]
