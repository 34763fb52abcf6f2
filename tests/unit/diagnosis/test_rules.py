"""Each rule names its cause on the evidence it is for, and is missed when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import Example
from examples import EXAMPLES, Expected

from harness.diagnosis import Diagnosis
from harness.diagnosis.causes import CAUSES
from harness.diagnosis.facts import KNOWN
from harness.diagnosis.rules import COMMON, rules_of

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


def test_rule_ids_are_unique_and_their_causes_are_catalogued() -> None:
    for name in INTEGRATIONS:
        ids = [rule.id for rule in rules_of(name)]
        assert len(ids) == len(set(ids))
    assert {rule.cause for rule in EVERY.values()} == set(CAUSES)


def test_every_fact_is_asked_for_by_a_rule_or_read_by_the_symptoms() -> None:
    asked = {condition.fact for rule in EVERY.values() for condition in rule.all_conditions}
    assert set(KNOWN) - asked <= {"caller.end"}


def test_an_integration_without_rules_of_its_own_has_the_common_ones() -> None:
    assert rules_of("genesys") == COMMON
    assert rules_of("../talkdesk") == COMMON


@pytest.mark.parametrize("expected", EXAMPLES, ids=lambda expected: expected.rule)
def test_with_less_to_see_nothing_is_named_that_the_whole_evidence_would_not_name(expected: Expected) -> None:
    """The injected cause may become one of a list, or go unseen, but never turns into another that is sure."""
    for visibility in ("caller+agents", "caller"):
        seen = expected.example.diagnose(visibility)  # type: ignore[arg-type]
        sure = {cause.id for cause in seen.causes if not cause.candidate and cause.confidence == "certain"}
        assert sure <= set(expected.causes), (visibility, seen.headline, seen.facts)


def test_a_passed_case_has_no_diagnosis() -> None:
    diagnosis = Example().dials().ai_gets().answered().taken().to_ai().to_caller().diagnose()
    assert diagnosis == Diagnosis()
    assert diagnosis.headline == ""


def test_the_page_lists_every_cause() -> None:
    page = (Path(__file__).parents[3] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    assert [name for name in CAUSES if f"| `{name}` |" not in page] == []
