"""Who takes over for the AI in a browser, or at any phone that is not ours, may have been rung without anybody here seeing it."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.rival_examples import unseen


@pytest.mark.parametrize(("refused", "told"), [(503, 500), (503, 503), (404, 404), (500, 404)])
def test_a_caller_who_is_turned_away_may_have_a_fallback_that_nobody_took(refused: int, told: int) -> None:
    causes = named(unseen(refused, told))
    assert causes[1:] == [("fallback-missing", "likely"), ("nobody-available", "possible")]


def test_what_the_platform_says_of_its_people_is_as_sure_as_ever() -> None:
    assert ("nobody-available", "certain") in named(unseen(503, 480, "Nobody is logged in"))


def test_people_with_phones_of_ours_have_not_rung() -> None:
    example = Example(ai="stand-in").dials().ai_gets().ai_answers(503).after(20).state("disconnected", 500, "x")
    assert named(example.all_ports_answer().not_taken())[1:] == [("fallback-missing", "certain")]
