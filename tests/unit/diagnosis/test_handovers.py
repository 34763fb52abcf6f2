"""Which of its handovers an AI made, told by the number and the topic of its transfer, or not told where these do not say."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, NOBODY, OTHER_GROUP, QUEUE
from tests.unit.diagnosis.transfer_examples import by_topic, queues, several, told

SELECTOR = "?X-Gladly-Routing-Selector="


def causes(example: Example) -> list[tuple[str, str, bool]]:
    return [(cause.id, cause.confidence, cause.candidate) for cause in example.diagnose().causes]


def landed(example: Example, wanted: str, rang: str) -> Example:
    return example.rings(rang).landed(wanted, rang)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        (f"{SELECTOR}support", ("group-wrong", "likely", False)),  # the platform took it elsewhere
        (f"{SELECTOR}billing", ("handover-confused", "certain", False)),
        (f"{SELECTOR}sales", ("transfer-topic-wrong", "certain", False)),
        ("", ("handover-confused", "certain", False)),  # the assistant's own table has no topic
    ],
)
def test_one_number_for_all_queues(topic: str, said: tuple[str, str, bool]) -> None:
    assert causes(landed(by_topic().ai_refers(QUEUE, topic).platform_says(202), "support", "billing")) == [said]


def test_no_topic_is_none_of_them_where_each_has_one() -> None:
    example = by_topic("inbound-support").ai_refers(QUEUE).platform_says(202)
    assert causes(landed(example, "support", "queue")) == [("transfer-topic-wrong", "certain", False)]


def test_a_record_of_the_number_alone_does_not_tell_topics_apart() -> None:
    found = causes(landed(told(queues(), to=QUEUE), "support", "billing"))
    assert {said[0] for said in found} == {"handover-confused", "transfer-topic-wrong", "group-wrong"}
    assert all(candidate for _, _, candidate in found)


def test_the_number_tells_where_each_has_its_own() -> None:
    bare = told(to=OTHER_GROUP)
    bare.handovers = several().handovers
    assert causes(landed(bare, "billing", "support")) == [("handover-confused", "certain", False)]


@pytest.mark.parametrize("number", [NOBODY, "+18155550104"])
def test_a_number_of_none_of_them_is_a_wrong_one(number: str) -> None:
    example = several().ai_refers(number).platform_says(202)
    ((cause, _, _),) = causes(landed(example, "billing", "reception"))
    assert cause == "group-did-wrong"


def test_a_group_with_people_of_another_is_not_wrong_where_the_ai_made_another_handover() -> None:
    """Somebody of the right group rang, since both have that agent: all the same it is the AI that went elsewhere."""
    example = several().ai_refers(OTHER_GROUP).platform_says(202).rings("billing").rings("support")
    example.landed("billing", "billing").finding("landing.others", "support", rang=1, watched=True)
    assert causes(example) == [("handover-confused", "certain", False)]


def test_one_handover_alone_cannot_be_confused() -> None:
    example = several()
    example.handovers = {}
    assert causes(landed(example.ai_refers(OTHER_GROUP).platform_says(202), "billing", "support")) == [
        ("group-did-wrong", "certain", False)
    ]
    assert "which of its handovers the AI made" not in "\n".join(example.diagnose().facts)


def test_a_record_without_a_number_names_nobodys_number_no_more() -> None:
    found = causes(landed(told(to=None), "billing", "support"))
    assert {(said[0], said[2]) for said in found} == {("group-did-wrong", True), ("group-wrong", True)}
    assert GROUP not in "".join(told(to=None).diagnose().facts)


@pytest.mark.parametrize(
    ("tried", "target"),
    [((OTHER_GROUP, GROUP), "the group's number"), ((GROUP, OTHER_GROUP), "another group's number")],
)
@pytest.mark.parametrize("step", [1, -1])
def test_of_a_record_of_two_transfers_the_one_that_did_not_fail_is_told(
    tried: tuple[str, str], target: str, step: int
) -> None:
    """A record has them by name, in no order."""
    failed, last = (
        {"name": "transfer_call", "type": "cold", "to": to, "status": status}
        for to, status in zip(tried, ("transfer-failed-timeout", "transfer-success"), strict=True)
    )
    example = Example(row="TD-TRANSFER-BLIND").dials().answered().taken()
    facts = facts_of(example.record(executed_actions=[failed, last][::step]))
    assert facts.value("transfer.target") == target


def _documented(phone: str, status: str = "transfer-success") -> dict[str, object]:
    set_up = {"phone": phone, "transfer_mode": "cold_transfer"}
    return {
        "action_type": "transfer_call_action_type",
        "parameters_hard_coded": set_up,
        "return_value": {"status": status},
    }


@pytest.mark.parametrize("hidden", ["+1815*****01", "+1815xxxxx01", "[REDACTED]", "sip:+1815****@p.example"])
def test_digits_that_a_record_hides_are_no_number_that_is_nobodys(hidden: str) -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials().after(0.1).answered().taken()
    example = example.record(status="completed", executed_actions={"a": _documented(hidden)}).landed("billing")
    assert facts_of(example).value("transfer.target") is None
    assert {cause.confidence for cause in example.diagnose().causes} == {"possible"}


def test_the_number_of_a_transfer_that_failed_is_not_that_of_the_last() -> None:
    actions = [_documented(OTHER_GROUP, "transfer-failed-timeout"), _documented("{results.phone}")]
    example = Example(row="TD-TRANSFER-BLIND").dials().after(0.1).answered().taken()
    example = example.record(status="completed", executed_actions=actions).landed("billing")
    assert facts_of(example).value("transfer.target") is None
    assert facts_of(example).value("transfer.way") == "REFER"
