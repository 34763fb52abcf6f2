"""Whose number an agent is shown after a transfer is the platform's affair with a REFER, and the AI's in a call of its own."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.audio_examples import OWN_NUMBER, warm_shows
from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.example_case import CALLER
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, transfer, warm

OTHER = "+12015550199"


def cold(number: str) -> Example:
    example = transfer(Example()).ai_refers(GROUP).rings("billing").landed("billing", "billing")
    return example.caller_id("billing.1", number)


def test_what_the_ai_itself_shows_in_its_own_call_is_no_fault_of_the_platforms() -> None:
    causes = warm_shows(OWN_NUMBER, sent=OWN_NUMBER).diagnose().causes
    assert not [cause for cause in causes if cause.owner == "platform routing" and cause.confidence == "certain"]
    assert [(cause.id, cause.owner) for cause in causes] == [("transfer-caller-id-not-set", "AI side")]


def test_a_number_that_the_ais_own_call_has_right_is_lost_by_the_platform() -> None:
    assert named(warm_shows(OTHER, sent=CALLER)) == [("caller-id-lost-on-transfer", "certain")]
    assert named(warm_shows(OTHER, sent=CALLER[2:])) == [("caller-id-lost-on-transfer", "certain")]


def test_what_the_ai_was_shown_wrong_it_cannot_show_right() -> None:
    example = warm(Example())
    example._messages[0]["text"] = example._messages[0]["text"].replace(f"sip:{CALLER}@", f"sip:{OTHER}@")
    example.ai_invites(GROUP, shown=OTHER).rings("billing").landed("billing", "billing").caller_id("billing.1", OTHER)
    assert named(example) == [("from-other-number", "certain")]


@pytest.mark.parametrize(
    ("example", "shown"),
    [
        (cold(OTHER), "none: the platform decides on it"),
        (warm_shows(OTHER), "not seen"),
        (warm_shows(OTHER, sent=CALLER), "right"),
        (warm_shows(OTHER, sent=OTHER), "another number"),
        (warm_shows(OTHER, sent="anonymous"), "anonymous"),
    ],
)
def test_the_number_that_the_ais_own_call_shows(example: Example, shown: str) -> None:
    assert facts_of(example).value("transfer.caller_id") == shown


def test_how_it_hands_over_the_deployment_file_says_where_nobody_saw_it() -> None:
    unseen = Example(row="TD-TRANSFER-BLIND").dials().rings("billing").answered()
    unseen.landed("billing", "billing").caller_id("billing.1", OTHER)
    assert facts_of(unseen).value("transfer.way") is None
    assert facts_of(unseen).value("transfer.caller_id") == "none: the platform decides on it"
    assert facts_of(unseen, has_deployment=False).value("transfer.caller_id") == "not seen"
    told = warm_shows(OTHER).record(executed_actions={"a": {"name": "transfer_call", "type": "cold", "to": GROUP}})
    assert facts_of(told).value("transfer.caller_id") == "none: the platform decides on it", "what is seen comes first"


def test_no_transfer_has_no_call_of_the_ais() -> None:
    fallback = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused").dials().rings("reception").answered()
    fallback.landed("reception", "reception").caller_id("reception.1", OTHER)
    assert "transfer.caller_id" not in facts_of(fallback)


def test_a_telephone_is_shown_a_number_of_the_platforms_whatever_the_ai_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    example = warm_shows(OTHER, sent=CALLER)
    plain = example.deployment
    telephone = plain.phones["billing"].model_copy(update={"number": "+14155550177", "shows": "platform"})
    changed = plain.model_copy(update={"phones": {**plain.phones, "billing": telephone}})
    monkeypatch.setattr(Example, "deployment", changed)
    assert facts_of(example).value("transfer.caller_id") == "none: the platform decides on it"
