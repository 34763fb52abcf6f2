"""Each rule names its cause on the evidence it is for, and is missed when it is gone."""

from __future__ import annotations

import pytest

from harness.diagnosis import Diagnosis
from harness.diagnosis.catalogue import rules_of
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.examples import EXAMPLES as OF_RULES
from tests.unit.diagnosis.leg_examples import LEGS
from tests.unit.diagnosis.own_examples import OWN
from tests.unit.diagnosis.stories import Expected

EXAMPLES = [*OF_RULES, *LEGS, *OWN]
INTEGRATIONS = ("talkdesk", "gladly")
EVERY = {rule.id: rule for name in INTEGRATIONS for rule in rules_of(name)}


def answer(diagnosis: Diagnosis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Causes and candidates by id."""
    return tuple(c.id for c in diagnosis.causes), tuple(c.id for c in diagnosis.candidates)


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_the_evidence_names_the_cause(expected: Expected) -> None:
    diagnosis = expected.example.diagnose()
    causes, candidates = answer(diagnosis)
    assert causes == expected.causes, "\n".join(diagnosis.facts)
    assert candidates == expected.candidates
    assert not diagnosis.unexplained


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_without_its_rule_the_answer_is_another(expected: Expected) -> None:
    rules = [rule for rule in rules_of(expected.example.integration) if rule.id != expected.rule]
    assert len(rules) == len(rules_of(expected.example.integration)) - 1
    without = expected.example.diagnose(rules=rules)
    with_it = expected.example.diagnose()
    assert _said(without) != _said(with_it)


def _said(diagnosis: Diagnosis) -> list[tuple[str, bool, str]]:
    return [(cause.id, cause.candidate, cause.rule) for cause in diagnosis.causes]


def test_every_rule_has_an_example() -> None:
    assert set(EVERY) == {expected.rule for expected in EXAMPLES}


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_with_less_to_see_nothing_is_named_that_the_whole_evidence_would_not_name(expected: Expected) -> None:
    """The injected cause may become one of a list, or go unseen, but never turns into another that is sure."""
    for visibility in ("caller+agents", "caller"):
        seen = expected.example.diagnose(visibility)
        sure = {cause.id for cause in seen.causes if not cause.candidate and cause.confidence == "certain"}
        assert sure <= set(expected.causes), (visibility, seen.headline, seen.facts)


def test_a_passed_case_has_no_diagnosis() -> None:
    diagnosis = Example().dials().ai_gets().answered().taken().to_ai().to_caller().diagnose()
    assert diagnosis == Diagnosis()
    assert diagnosis.headline == ""
