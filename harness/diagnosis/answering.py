"""Who answered the caller first: the platform may do so by itself, before anybody it calls has."""

from __future__ import annotations

from harness.diagnosis.derive import Scene
from harness.diagnosis.reach import answers_itself
from harness.events import CallState, LegStarted

PLATFORM = "the platform"


def tell(scene: Scene) -> None:
    """Make it known where everybody whom the platform may have called is seen, and none of them had answered by then."""
    call = scene.call
    if call is None or call.direction != "outgoing" or answers_itself(scene) or not _all_are_seen(scene):
        return
    ours = scene.axes.get("ai") == "stand-in"
    confirmed = next((state for state in scene.states(call.leg) if state.state == "confirmed"), None)
    called = {e.leg for e in scene.events if isinstance(e, LegStarted) and e.direction == "incoming"}
    if confirmed is None or (ours and not called):
        return
    if any(
        isinstance(e, CallState) and e.leg in called and e.state in ("connecting", "confirmed") and e.at <= confirmed.at
        for e in scene.events
    ):
        return
    what = "which had not answered" if ours else f"which {scene.facts.value('ai.saw')}"
    scene.facts.record("answered.first", PLATFORM, f"{call.leg} was answered before the AI, {what}")


def _all_are_seen(scene: Scene) -> bool:
    # That it answered, a record tells, but not at which moment.
    saw = ("rang", "refused", "answered") if scene.axes.get("ai") == "stand-in" else ("rang", "refused")
    if scene.facts.value("ai.saw") not in saw or not scene.vantage.sees("agent"):
        return False
    fallback = scene.line[1].fallback if scene.line else None
    return fallback is None or scene.deployment is None or bool(scene.deployment.groups[fallback].agents)
