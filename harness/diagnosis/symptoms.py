"""Which symptom a failed finding is, and which ones show without any finding of their own."""

from __future__ import annotations

from typing import cast

from harness.calls.check_table import CHECKS
from harness.calls.verdict import Finding
from harness.diagnosis.answering import PLATFORM, comes_before
from harness.diagnosis.audio import NO_VOICE, direction_of
from harness.diagnosis.caller_end import DROPPED, UNHEARD, UNSENT
from harness.diagnosis.derive import Scene, answered_request
from harness.diagnosis.digits import is_unsent_digit
from harness.diagnosis.refusals import WHY_ENDED
from harness.diagnosis.rule import ORDER, Symptom
from harness.diagnosis.transfer import is_fallback, is_group, is_unasked

#: What a platform does with a call that it has taken.
_OF_THE_PLATFORM: tuple[Symptom, ...] = ("reach", "route", "fallback", "fallback.time", "final", "transfer")
#: The rows in which the AI, and nobody else, is to take the call.
_CALLS_THE_AI = ("inbound", "campaign")
_WRONG_NUMBERS = ("anonymous", "no number", "in another form", "a number of the deployment's own", "another number")


def present(scene: Scene) -> dict[Symptom, list[Finding]]:
    """The case's symptoms with the findings that show them, in the order of a call."""
    found: dict[Symptom, list[Finding]] = {}
    for finding in scene.findings:
        if scene.failed(finding):
            found.setdefault(_of(scene, finding), []).append(finding)
    _unanswered(scene, found)
    if found and not scene.withheld and scene.facts.value("caller_id.ai") in _WRONG_NUMBERS:
        found.setdefault("caller_id.ai", [])  # seen in passing, in a case that failed before it came to look
    return {symptom: found[symptom] for symptom in ORDER if symptom in found}


def _of(scene: Scene, finding: Finding) -> Symptom:
    if _came_after_the_answer(scene, finding):
        return "answered.first"
    symptom = _by_check(scene, finding)
    if symptom in _OF_THE_PLATFORM and scene.facts.value("caller.end") in (UNHEARD, UNSENT):
        return "other"  # a platform that answers nothing has not come to route the call
    return symptom


def _came_after_the_answer(scene: Scene, finding: Finding) -> bool:
    """Whether it is about what could not come any more, since the platform itself had answered the call."""
    return comes_before(finding) and scene.facts.value("answered.first") == PLATFORM


def _by_check(scene: Scene, finding: Finding) -> Symptom:
    check, role = finding.check, scene.vantage.made_by(finding)
    if check == "final_response" and (method := answered_request(finding)) != "INVITE":
        return "release" if method == "BYE" else "other"  # OPTIONS was outside of any call
    if symptom := CHECKS[check].symptom:
        return cast(Symptom, symptom)
    if is_unsent_digit(finding):
        return "digits"
    match check:
        case "audio" if direction_of(scene, finding) == "audio.agent":
            return "audio.agent"
        case "audio":  # with the AI again, after a transfer that should have failed, is another matter
            return "other" if finding.facts.get("again") and scene.moment == "transfer" else "audio"
        case "caller_id":
            if role == "caller" and scene.moment == "campaign":
                return "caller_id.customer"
            return "caller_id.agent" if role == "agent" else "caller_id.ai"
        case "header" | "header.absent" if role == "agent":
            return "header.other"
        case "header" | "header.absent" if role == "ai":
            name = str(finding.facts.get("header", "")).lower()
            if name.startswith("x-gladly"):
                return "header.caller" if "caller" in name else "header.selector"
            return "header.other"
        case "landing" if is_group(scene, finding.facts.get("wanted")):
            return "fallback" if is_fallback(scene, finding.facts.get("wanted")) else "transfer"
        case "released":
            return "release"
        case "timing":
            return "fallback.time"
        case "timing.within":
            if finding.facts.get("what") == "the registration is refreshed":
                return "registration"
            if finding.facts.get("what") == "the call":
                return "fallback.time"
        case "landing.turn" if is_unasked(finding):
            return "reach" if _rings_for_want_of_the_ai(scene, finding.subject) else "transfer.unasked"
        case "landing.others" if finding.facts.get("rang") and scene.moment in ("transfer", "people"):
            return "transfer"
        case "landing.others" if finding.facts.get("rang") and scene.moment == "fallback":
            return "fallback"
        case "landing.others" if finding.facts.get("rang") and (scene.moment == "unanswered" or _unseen_instead(scene)):
            return "reach"  # people were rung in the AI's place
        case "answered" | "ringing" | "voicemail" if scene.moment == "people":
            return "transfer"
        case "answered" | "ringing" if role == "caller":
            return "reach"
        case "phone.wait" if role == "ai" and scene.facts.value("ai.saw") == "refused":
            return "reach"  # its stack refused the call before the scenario came to answer it
    return "other"


def _rings_for_want_of_the_ai(scene: Scene, phone: str) -> bool:
    """Whether that is one of the fallback's, and of no group that the AI hands over to, and the AI is not known to have answered."""
    if scene.deployment is None or scene.line is None or scene.facts.value("ai.saw") == "answered":
        return False
    line = scene.line[1]
    if line.assistant is None:
        return False
    handed_to = {each.transfer_to for each in scene.deployment.handovers(line.assistant).values()}
    groups = scene.deployment.groups
    theirs = {agent for group in handed_to if group in groups for agent in groups[group].agents}
    return line.fallback in groups and phone in groups[str(line.fallback)].agents and phone not in theirs


def _unanswered(scene: Scene, found: dict[Symptom, list[Finding]]) -> None:
    """Where the AI's side is not seen, a call that another answered, or nobody, has not reached it all the same."""
    facts = scene.facts
    if "answered.first" in found:
        return
    if _is_dropped_unheard(scene):
        found.setdefault("reach", [])
    if "landing.answered_by" in {f.check for f in scene.findings} or not _asks_for_the_ai(scene):
        pass
    elif facts.value("caller.end") in ("refused", "still ringing") or facts.value("instead") not in (None, "nobody"):
        found.setdefault("reach", [])
    taken = facts.value("ai.saw") in (
        "answered",
        "another assistant answered",
    )  # and transferred to whoever rang, perhaps
    others = facts.value("instead") == "another group" and not taken
    turned_away = facts.value("caller.end") == "refused" or others
    if "reach" in found and facts.value("fallback.configured") is True and turned_away:
        found.setdefault("fallback", [])


def _is_dropped_unheard(scene: Scene) -> bool:
    """Whether the platform answered, as agreed, and hung up: nothing was heard of the AI, and nobody saw that it took the call."""
    facts = scene.facts
    dropped = facts.value("caller.end") == DROPPED and facts.value("call.reason") not in WHY_ENDED
    unheard = facts.value("audio.to_caller") in NO_VOICE and facts.value("ai.spoke") is not True
    return dropped and unheard and scene.moment in _CALLS_THE_AI


def _unseen_instead(scene: Scene) -> bool:
    """Whether people rang, and nobody could see whether the AI got the call."""
    facts = scene.facts
    instead = facts.value("instead") not in (None, "nobody") and facts.value("ai.saw") is None
    return instead and scene.moment in _CALLS_THE_AI


def _asks_for_the_ai(scene: Scene) -> bool:
    return scene.moment in _CALLS_THE_AI and not scene.vantage.sees("ai")
