"""Who answered the caller first: the platform may do so by itself, before anybody it calls has."""

from __future__ import annotations

import re

from harness.calls.events import CallState, Event, LegStarted, SipMessage
from harness.calls.verdict import Finding
from harness.diagnosis.caller_end import answers_itself, takers_are_seen
from harness.diagnosis.derive import Scene, answered_request

PLATFORM, UNSEEN = "the platform", "nobody who was seen"
#: What cannot come any more once the caller has been answered: ringing, what is said meanwhile, a refusal.
_BEFORE_THE_ANSWER = ("ringing", "final_response", "audio.early", "prack")
_CSEQ_OF_INVITE = re.compile(r"^CSeq[ \t]*:[ \t]*\d+[ \t]+INVITE\b", re.IGNORECASE | re.MULTILINE)


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
    if confirmed is None or any(_has_answered(e) for e in scene.events if e.at <= confirmed.at and _leg(e) in called):
        return
    if not _all_are_seen(scene) or (ours and not called):
        if any(scene.failed(finding) and comes_before(finding) for finding in scene.findings):
            scene.facts.record("answered.first", UNSEEN, f"{call.leg} was answered, and nobody seen had answered")
        return
    what = "which had not answered" if ours else f"which {scene.facts.value('ai.saw')}"
    scene.facts.record("answered.first", PLATFORM, f"{call.leg} was answered before the AI, {what}")


def _leg(event: Event) -> str | None:
    return event.leg if isinstance(event, CallState | SipMessage) else None


def _has_answered(event: Event) -> bool:
    """Whether a phone that was called had answered. Its state may be told only after the caller has got the 200 that it sent."""
    if isinstance(event, CallState):
        return event.state in ("connecting", "confirmed")
    if not isinstance(event, SipMessage) or event.direction != "sent" or not event.text.startswith("SIP/2.0 2"):
        return False
    return _CSEQ_OF_INVITE.search(event.text) is not None


def _all_are_seen(scene: Scene) -> bool:
    # That it answered, a record tells, but not at which moment.
    saw = ("rang", "refused", "answered") if scene.axes.get("ai") == "stand-in" else ("rang", "refused")
    return scene.facts.value("ai.saw") in saw and scene.vantage.sees("agent") and takers_are_seen(scene)
