"""What is derived from a made-up case, before any rule looks."""

from __future__ import annotations

from typing import Any

from harness.diagnosis.engine import observe
from harness.diagnosis.facts import Facts
from harness.diagnosis.scene import Scene
from harness.diagnosis.vantage import Visibility
from tests.unit.diagnosis.building import Example


def call(**changes: Any) -> Example:
    """The caller dials, at 0.0."""
    return Example(now=0.0, **changes).dials()


def talk(**changes: Any) -> Example:
    """The right assistant answers at once."""
    return call(**changes).ai_gets().answered().taken()


def scene_of(example: Example, visibility: Visibility = "all", *, has_deployment: bool = True) -> Scene:
    """The case as that vantage sees it, over when its last finding was made."""
    axes = {"ai": example.ai, "transport": example.transport, "authentication": example.authentication}
    case = {
        "row": example.row,
        "moment": example.moment,
        "integration": example.integration,
        "trunk": example.trunk.name,
        "axes": axes | example.axes,
    }
    events = [*example.events, *example._records()]
    deployment = example.deployment if has_deployment else None
    return observe(case, example.findings, events, deployment, visibility=visibility, number_of=lambda _: "m1")


def facts_of(example: Example, visibility: Visibility = "all", *, has_deployment: bool = True) -> Facts:
    """All that is known of it."""
    return scene_of(example, visibility, has_deployment=has_deployment).facts
