"""Who answered the caller first: the platform may do so by itself, before anybody it calls has."""

from __future__ import annotations

from harness.diagnosis.caller_end import answers_itself
from harness.diagnosis.derive import Scene, answered_request
from harness.events import CallState, LegStarted
from harness.verdict import Finding

PLATFORM, UNSEEN = "the platform", "nobody who was seen"
#: What cannot come any more once the caller has been answered: ringing, what is said meanwhile, a refusal.
_BEFORE_THE_ANSWER = ("ringing", "final_response", "audio.early", "prack")


def comes_before(finding: Finding) -> bool:
    """Whether it is about what can only come before the caller is answered."""
    return finding.check in _BEFORE_THE_ANSWER and answered_request(finding) == "INVITE"


def tell(scene: Scene) -> None:
    """The platform, where everybody whom it may have called is seen, and none of them had answered by then."""
    call = scene.call
    if call is None or call.direction != "outgoing" or answers_itself(scene):
        return
    ours = scene.axes.get("ai") == "stand-in"
    confirmed = next((state for state in scene.states(call.leg) if state.state == "confirmed"), None)
    called = {e.leg for e in scene.events if isinstance(e, LegStarted) and e.direction == "incoming"}
    if confirmed is None or any(
        isinstance(e, CallState) and e.leg in called and e.state in ("connecting", "confirmed") and e.at <= confirmed.at
        for e in scene.events
    ):
        return
    if not _all_are_seen(scene) or (ours and not called):
        if any(scene.failed(finding) and comes_before(finding) for finding in scene.findings):
            scene.facts.record("answered.first", UNSEEN, f"{call.leg} was answered, and nobody seen had answered")
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
