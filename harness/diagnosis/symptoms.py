"""Which symptom a failed finding is, and which symptoms show without a finding."""

from __future__ import annotations

from harness.case.check_table import SYMPTOMS, Role, Symptom, check_named
from harness.case.verdict import Finding
from harness.diagnosis.audio import NO_VOICE, direction_of
from harness.diagnosis.caller_end import (
    DROPPED,
    PLATFORM,
    UNHEARD,
    UNSENT,
    comes_before_the_answer,
    is_withheld,
)
from harness.diagnosis.facts import table
from harness.diagnosis.passage import is_unsent_digit
from harness.diagnosis.scene import Scene, answered_request
from harness.diagnosis.transfer import is_fallback, is_group, is_unasked

#: What a platform does with a call that it has accepted.
_OF_THE_PLATFORM: tuple[Symptom, ...] = (
    "reach",
    "route",
    "fallback",
    "fallback.time",
    "final",
    "transfer",
)
#: The rows in which only the AI should take the call.
_CALLS_THE_AI = ("inbound", "campaign")


def present(scene: Scene) -> dict[Symptom, list[Finding]]:
    """The case's symptoms with the findings that show them, in the order of a call."""
    found: dict[Symptom, list[Finding]] = {}
    for finding in scene.findings:
        if finding.failed:
            found.setdefault(_of(scene, finding), []).append(finding)
    _without_finding(scene, found)
    # A wrong number may be seen in passing, in a case that failed before it checked the number.
    wrong = table("vocabulary")["values"]["wrong number"]
    if found and scene.value("caller_id.ai") in wrong and not is_withheld(scene):
        found.setdefault("caller_id.ai", [])
    return {symptom: found[symptom] for symptom in SYMPTOMS if symptom in found}


def _of(scene: Scene, finding: Finding) -> Symptom:
    """The symptom by the finding's check, unless what is known of the call shows that it is
    another.
    """
    value = scene.facts_of(finding).value
    if comes_before_the_answer(finding) and value("answered.first") == PLATFORM:
        return "answered.first"
    symptom = _by_check(scene, finding)
    rang_too_briefly = symptom == "fallback.time" and value("fallback.time") == "shorter"
    if rang_too_briefly and value("ai.saw") in ("nothing", "refused"):
        return "reach"  # it was to ring at the AI
    if symptom in _OF_THE_PLATFORM and value("caller.end") in (UNHEARD, UNSENT):
        return "other"  # a platform that answers nothing has not routed the call
    return symptom


def _by_check(scene: Scene, finding: Finding) -> Symptom:
    """What a failed check is about. The role that made the finding, and what the row is about, tell
    cases of one check apart.
    """
    check, facts = finding.check, finding.facts
    role, moment = scene.vantage.made_by(finding), scene.moment
    if check == "final_response" and answered_request(finding) != "INVITE":
        # OPTIONS belongs to no call.
        return "release" if answered_request(finding) == "BYE" else "other"
    if symptom := check_named(check).symptom:
        return symptom
    if is_unsent_digit(finding):
        return "digits"
    match check:
        case "audio" if direction_of(scene, finding) == "audio.agent":
            return "audio.agent"
        case "audio":
            # Audio with the AI again, after a transfer that should have failed, is another matter.
            return "other" if facts.get("again") and moment == "transfer" else "audio"
        case "caller_id" | "caller_id.asserted":
            if role == "caller" and moment == "campaign":
                return "caller_id.customer"
            return "caller_id.agent" if role == "agent" else "caller_id.ai"
        case "header" | "header.absent" if role in ("agent", "ai"):
            return _of_header(role, str(facts.get("header", "")).lower())
        case "landing" if is_group(scene, facts.get("wanted")):
            return "fallback" if is_fallback(scene, facts.get("wanted")) else "transfer"
        case "timing.within" if facts.get("what") == "the registration is refreshed":
            return "registration"
        case "timing.within" if facts.get("what") == "the call":
            return "fallback.time"
        case "landing.turn" if is_unasked(finding):
            in_its_place = scene.value("instead") == "the fallback group"
            ai_took_it = scene.value("ai.saw") == "answered"
            return "reach" if in_its_place and not ai_took_it else "transfer.unasked"
        case "landing.others" if facts.get("rang"):
            return _of_others_who_rang(scene)
        case "answered" | "ringing" | "voicemail" if moment == "people":
            return "transfer"
        case "voicemail":
            return "fallback"
        case "answered" | "ringing" if role == "caller":
            return "reach"
        case "phone.wait" if role == "ai" and scene.value("ai.saw") == "refused":
            return "reach"  # the phone's stack refused the call before the scenario answered it
    return "other"


def _of_header(role: Role, name: str) -> Symptom:
    if role == "ai" and name.startswith("x-gladly"):
        return "header.caller" if "caller" in name else "header.selector"
    return "header.other"


def _of_others_who_rang(scene: Scene) -> Symptom:
    """What it means that people rang who should not have, by what the row is about."""
    if scene.moment in ("transfer", "people"):
        return "transfer"
    if scene.moment == "fallback":
        return "fallback"
    if scene.moment == "unanswered":
        return "reach"
    # People rang instead of the AI, or it is not known whether the AI got the call.
    ai_is_unseen = scene.value("ai.saw") is None
    calls_the_ai = scene.moment in _CALLS_THE_AI
    return "reach" if scene.people_rang_instead and ai_is_unseen and calls_the_ai else "other"


def _without_finding(scene: Scene, found: dict[Symptom, list[Finding]]) -> None:
    """If the AI's side is not seen, a call that another party answered, or no party, has not
    reached the AI.
    """
    if "answered.first" in found:
        return
    if scene.moment in _CALLS_THE_AI and (_has_not_reached(scene) or _was_dropped(scene)):
        found.setdefault("reach", [])
    # If the AI took the call, it may have transferred it to the phone that rang.
    taken = scene.value("ai.saw") in ("answered", "another assistant answered")
    by_others = scene.value("instead") == "another group" and not taken
    turned_away = scene.value("caller.end") == "refused" or by_others
    if "reach" in found and scene.value("fallback.configured") is True and turned_away:
        found.setdefault("fallback", [])


def _has_not_reached(scene: Scene) -> bool:
    """Whether the call did not get to an AI that is not seen, and no check says who answered."""
    if scene.vantage.sees("ai"):
        return False
    if any(finding.check == "landing.answered_by" for finding in scene.findings):
        return False
    if scene.value("caller.end") in ("refused", "still ringing"):
        return True
    return scene.people_rang_instead


def _was_dropped(scene: Scene) -> bool:
    """Whether the platform answered, as agreed, and hung up; nothing was heard of the AI, and no
    evidence shows that it took the call.
    """
    if scene.value("caller.end") != DROPPED or scene.value("call.reason") is not None:
        return False
    return scene.value("audio.to_caller") in NO_VOICE and scene.value("ai.spoke") is not True
