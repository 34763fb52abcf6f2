"""Each rule names its cause on the evidence of its example, and is missed when it is gone."""

from __future__ import annotations

import pytest

from harness.diagnosis import Diagnosis, Visibility
from harness.diagnosis.catalogue import causes, rules_of
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.examples import EXAMPLES
from tests.unit.diagnosis.stories import Expected, answer

RULES = {rule.id: rule for name in ("talkdesk", "gladly") for rule in rules_of(name)}
LESS: tuple[Visibility, ...] = ("caller+agents", "caller")


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_the_evidence_gives_the_answer(expected: Expected) -> None:
    diagnosis = expected.example.diagnose()
    assert answer(diagnosis) == expected.answer, "\n".join(diagnosis.facts)
    assert not diagnosis.unexplained
    rules = rules_of(expected.example.integration)
    without = expected.example.diagnose(rules=[rule for rule in rules if rule.id != expected.rule])
    assert rules_named(without) != rules_named(diagnosis), f"{expected.rule} makes no difference"
    for each in (diagnosis, *map(expected.example.diagnose, LESS)):
        assert len(each.candidates) < 2 or each.causes[0].separating_observation
        sure = {cause.id for cause in each.causes if cause.confidence == "certain"}
        assert sure <= {cause.id for cause in diagnosis.causes}, f"certain with less evidence: {each.facts}"


def rules_named(diagnosis: Diagnosis) -> list[tuple[str, bool, str]]:
    return [(cause.id, cause.candidate, cause.rule) for cause in diagnosis.causes]


def test_every_rule_and_every_cause_has_an_example() -> None:
    assert set(RULES) == {expected.rule for expected in EXAMPLES}
    assert set(causes()) == {RULES[expected.rule].cause for expected in EXAMPLES}


def test_a_passed_case_has_no_diagnosis() -> None:
    diagnosis = Example().dials().ai_gets().answered().taken().to_ai().to_caller().diagnose()
    assert diagnosis == Diagnosis()
    assert diagnosis.headline == ""
