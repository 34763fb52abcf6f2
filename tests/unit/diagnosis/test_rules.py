"""Each rule names its cause on the evidence of its example, and is missed when it is gone.

A new cause needs its entry in ``harness/diagnosis/tables``, and an example for each of its rules in a
``*_examples.py`` beside this file, unless a stored case of ``tests/contract/corpus`` names the rule
(``test_corpus.py`` looks for both). Of a rule that explains one check's finding, that check's
example may name rule and answer.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.diagnosis import Diagnosis, Visibility
from harness.diagnosis.catalogue import rules_of
from tests.unit.diagnosis.every_example import EXAMPLES
from tests.unit.diagnosis.stories import Expected, answer

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
        assert sure <= {cause.id for cause in diagnosis.causes}, (
            f"certain with less evidence: {each.facts}"
        )


@given(
    st.sampled_from(EXAMPLES), st.randoms(use_true_random=False), st.sampled_from(("all", *LESS))
)
def test_evidence_with_parts_missing_has_an_answer(
    expected: Expected, lots: Random, seen: Visibility
) -> None:
    example = expected.example
    kept = {
        name: [each for each in getattr(example, name) if lots.random() < 0.7]
        for name in ("events", "findings")
    }
    diagnosis = example.copy(**kept).diagnose(seen)
    assert not [fact for fact in diagnosis.nearest_facts if "the diagnosis itself failed" in fact]


def rules_named(diagnosis: Diagnosis) -> list[tuple[str, bool, str]]:
    return [(cause.id, cause.candidate, cause.rule) for cause in diagnosis.causes]
