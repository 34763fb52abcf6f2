"""The symptoms of an example."""

from __future__ import annotations

from harness.diagnosis.rule import Symptom
from harness.diagnosis.symptoms import present
from harness.diagnosis.vantage import Visibility
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import scene_of


def shown(example: Example, visibility: Visibility = "all") -> list[Symptom]:
    return list(present(scene_of(example, visibility)))
