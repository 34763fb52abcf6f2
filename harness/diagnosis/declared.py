"""Facts that the case itself declares."""

from __future__ import annotations

from harness.diagnosis.derive import Scene


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    scene.facts.record("integration", scene.case.get("integration"))
    scene.facts.record("transport", scene.axes.get("transport"))
    scene.facts.record("authentication", scene.axes.get("authentication"))
    if scene.line is not None and scene.line[1].plaintext:
        scene.facts.record("destination.clear", True, f"the deployment file says so of {scene.line[0]}")
    if scene.line is not None and scene.line[1].refer == "passed-on":
        scene.facts.record("refer.passed_on", True, f"the deployment file says so of {scene.line[0]}")
