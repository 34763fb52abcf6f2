"""Where nobody sees the AI, many causes are left: what the caller was told, and when, says which to look at first."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.examples import EXAMPLES
from tests.unit.diagnosis.stories import fallback, refused_unseen


def listed(example: Example) -> list[str]:
    return [cause.id for cause in example.diagnose().candidates]


def rang(after: float, transport: str = "tcp") -> Example:
    example = fallback(Example(transport=transport), after).all_ports_answer()
    return example.finding(
        "landing.answered_by", "the call", answered=["the phone reception"], wanted="main", unseen=True
    )


@pytest.mark.parametrize(
    ("code", "first"),
    [
        (404, {"route-wrong-did", "assistant-not-attached", "number-unknown-at-platform"}),
        (604, {"route-wrong-did", "assistant-not-attached", "number-unknown-at-platform"}),
        (403, {"credentials-not-sent", "platform-refuses-caller"}),
        (407, {"credentials-not-sent", "platform-refuses-caller"}),
        (486, {"concurrency-exhausted"}),
        (429, {"concurrency-exhausted"}),
        (603, {"platform-refuses-caller"}),
        (504, {"trunk-transport-mismatch"}),
        (302, {"platform-refuses-caller"}),
        (437, {"platform-refuses-caller"}),
        (608, {"platform-refuses-caller"}),
    ],
)
def test_the_status_that_the_caller_got_says_which_come_first(code: int, first: set[str]) -> None:
    """A B2BUA hands on what the AI answered, mostly (RFC 3261 section 16.7)."""
    found = listed(refused_unseen(code))
    assert set(found[: len(first)]) == first, found


def test_words_about_the_caller_s_number_come_first() -> None:
    example = Example().dials().after(0.2).state("disconnected", 480, "Caller ID not verified").all_ports_answer()
    example.finding("landing.answered_by", "the call", answered=[], wanted="main", unseen=True)
    assert listed(example)[0] == "platform-refuses-caller"


def test_a_number_that_is_withheld_speaks_for_being_refused_for_it() -> None:
    example = (
        Example(row="ANONYMOUS").dials(withheld=True).after(0.2).state("disconnected", 433, "x").all_ports_answer()
    )
    example.finding("landing.answered_by", "the call", answered=[], wanted="main", unseen=True)
    assert listed(example)[0] == "platform-refuses-caller"


def test_people_who_ring_at_once_speak_for_a_routing_that_leads_to_them() -> None:
    assert listed(rang(0.1))[0] == "route-missing"


def test_a_caller_who_was_told_that_its_media_is_refused_is_not_sent_to_the_routing_first() -> None:
    assert refused_unseen(488).diagnose("caller").causes[0].id == "no-g711"


def test_people_who_ring_when_the_ring_timeout_is_over_speak_for_an_ai_that_was_silent() -> None:
    assert listed(rang(30.0))[0] == "ai-never-answers"


def test_an_observation_that_all_candidates_wait_for_alike_settles_nothing() -> None:
    example = next(each.example for each in EXAMPLES if each.rule == "fallback.none.passed-on")
    diagnosis = example.diagnose("caller+agents")
    assert [cause.id for cause in diagnosis.candidates] == ["fallback-missing", "nobody-available"]
    assert diagnosis.causes[0].separating_observation == "dial the group's number"
