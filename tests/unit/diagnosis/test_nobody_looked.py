"""What nobody could look at is no evidence, and what a harness phone could not send is not the AI's silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.diagnosis import diagnose
from tests.unit.diagnosis.building import Example


@pytest.mark.parametrize(("after", "when"), [(2.1, "at once"), (3.1, "after waiting")])
def test_who_rings_behind_an_announcement_rings_at_once(after: float, when: str) -> None:
    """What is waited for the platform's own voice is no waiting for the AI."""
    example = Example().dials().answered()
    deployment = example.deployment
    lines = {name: entry.model_copy(update={"announcement_s": 2.0}) for name, entry in deployment.lines.items()}
    case: Any = replace(example.after(after).rings("reception").not_taken("the phone reception"))
    spoken = deployment.model_copy(update={"lines": lines})
    told = diagnose({"moment": "inbound"}, case.findings, case.events, spoken).facts
    assert any(line.startswith(f"when that was: {when} (") for line in told), told
