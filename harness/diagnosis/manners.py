"""Facts on how the voice agent behaves, where the deployment sets a limit to it."""

from __future__ import annotations

from harness.calls.checks import responsiveness
from harness.diagnosis.derive import Scene


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    for finding in scene.of(*responsiveness.WHAT):
        in_time = "late" if scene.failed(finding) else "in time"
        never = scene.failed(finding) and finding.facts.get("seconds") is None
        scene.facts.record(finding.check, "never" if never else in_time, finding.actual)
    for finding in scene.of("transfer.told"):
        scene.facts.record("caller.told", not scene.failed(finding), finding.actual)
