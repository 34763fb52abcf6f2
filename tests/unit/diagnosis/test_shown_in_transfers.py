"""Whose number an agent is shown after a transfer is the platform's affair with a REFER, and the AI's in a call of its own."""

from __future__ import annotations

from tests.unit.diagnosis.audio_examples import warm_shows
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, transfer

OTHER = "+12015550199"


def cold(number: str) -> Example:
    example = transfer(Example()).ai_refers(GROUP).rings("billing").landed("billing", "billing")
    return example.caller_id("billing.1", number)


def test_how_it_hands_over_the_deployment_file_says_where_nobody_saw_it() -> None:
    unseen = Example(row="TD-TRANSFER-BLIND").dials().rings("billing").answered()
    unseen.landed("billing", "billing").caller_id("billing.1", OTHER)
    assert facts_of(unseen).value("transfer.way") is None
    assert facts_of(unseen).value("transfer.caller_id") == "none: the platform decides on it"
    assert facts_of(unseen, has_deployment=False).value("transfer.caller_id") == "not seen"
    told = warm_shows(OTHER).record(executed_actions={"a": {"name": "transfer_call", "type": "cold", "to": GROUP}})
    assert facts_of(told).value("transfer.caller_id") == "none: the platform decides on it", "what is seen comes first"
