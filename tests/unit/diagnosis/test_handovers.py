"""Which of its handovers an AI made, told by the number and the topic of its transfer, or not told where these do not say."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import QUEUE
from tests.unit.diagnosis.transfer_examples import by_topic, queues, told


def causes(example: Example) -> list[tuple[str, str, bool]]:
    return [(cause.id, cause.confidence, cause.candidate) for cause in example.diagnose().causes]


def landed(example: Example, wanted: str, rang: str) -> Example:
    return example.rings(rang).landed(wanted, rang)


def test_no_topic_is_none_of_them_where_each_has_one() -> None:
    example = by_topic("inbound-support").ai_refers(QUEUE).platform_says(202)
    assert causes(landed(example, "support", "queue")) == [("transfer-topic-wrong", "certain", False)]


def test_a_record_of_the_number_alone_does_not_tell_topics_apart() -> None:
    found = causes(landed(told(queues(), to=QUEUE), "support", "billing"))
    assert {said[0] for said in found} == {"handover-confused", "transfer-topic-wrong", "group-wrong"}
    assert all(candidate for _, _, candidate in found)
