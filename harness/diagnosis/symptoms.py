"""Which symptom a failed finding is, and which symptoms show without a finding."""

from __future__ import annotations

from harness.case.check_table import SYMPTOMS, Symptom, check_named
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
    if (
        found
        and not is_withheld(scene)
        and scene.value("caller_id.ai") in table("vocabulary")["values"]["wrong number"]
    ):
        found.setdefault(
            "caller_id.ai", []
        )  # seen in passing, in a case that failed before it checked the number
    return {symptom: found[symptom] for symptom in SYMPTOMS if symptom in found}


def _of(scene: Scene, finding: Finding) -> Symptom:
    value = scene.facts_of(finding).value
    if comes_before_the_answer(finding) and value("answered.first") == PLATFORM:
        return "answered.first"
    symptom = _by_check(scene, finding)
    if (
        symptom == "fallback.time"
        and value("fallback.time") == "shorter"
        and value("ai.saw") in ("nothing", "refused")
    ):
        return "reach"  # it was to ring at the AI
    if symptom in _OF_THE_PLATFORM and value("caller.end") in (UNHEARD, UNSENT):
        return "other"  # a platform that answers nothing has not routed the call
    return symptom


def _by_check(scene: Scene, finding: Finding) -> Symptom:
    check, facts = finding.check, finding.facts
    role, moment = scene.vantage.made_by(finding), scene.moment
    if check == "final_response" and (method := answered_request(finding)) != "INVITE":
        return "release" if method == "BYE" else "other"  # OPTIONS belongs to no call
    if symptom := check_named(check).symptom:
        return symptom
    if is_unsent_digit(finding):
        return "digits"
    match check:
        case "audio" if direction_of(scene, finding) == "audio.agent":
            return "audio.agent"
        case (
            "audio"
        ):  # audio with the AI again, after a transfer that should have failed, is another matter
            return "other" if facts.get("again") and moment == "transfer" else "audio"
        case "caller_id" | "caller_id.asserted":
            if role == "caller" and moment == "campaign":
                return "caller_id.customer"
            return "caller_id.agent" if role == "agent" else "caller_id.ai"
        case "header" | "header.absent" if role in ("agent", "ai"):
            name = str(facts.get("header", "")).lower()
            if role == "ai" and name.startswith("x-gladly"):
                return "header.caller" if "caller" in name else "header.selector"
            return "header.other"
        case "landing" if is_group(scene, facts.get("wanted")):
            return "fallback" if is_fallback(scene, facts.get("wanted")) else "transfer"
        case "timing.within":
            timed: dict[object, Symptom] = {
                "the registration is refreshed": "registration",
                "the call": "fallback.time",
            }
            return timed.get(facts.get("what"), "other")
        case "landing.turn" if is_unasked(finding):
            in_its_place = (
                scene.value("instead") == "the fallback group"
                and scene.value("ai.saw") != "answered"
            )
            return "reach" if in_its_place else "transfer.unasked"
        case "landing.others" if facts.get("rang"):
            if moment in ("transfer", "people"):
                return "transfer"
            if moment == "fallback":
                return "fallback"
            unseen = (
                scene.value("instead") not in (None, "nobody") and scene.value("ai.saw") is None
            )
            # People rang instead of the AI, or it is not known whether the AI got the call.
            return (
                "reach"
                if moment == "unanswered" or (unseen and moment in _CALLS_THE_AI)
                else "other"
            )
        case "answered" | "ringing" | "voicemail" if moment == "people":
            return "transfer"
        case "voicemail":
            return "fallback"
        case "answered" | "ringing" if role == "caller":
            return "reach"
        case "phone.wait" if role == "ai" and scene.value("ai.saw") == "refused":
            return "reach"  # the phone's stack refused the call before the scenario answered it
    return "other"


def _without_finding(scene: Scene, found: dict[Symptom, list[Finding]]) -> None:
    """If the AI's side is not seen, a call that another party answered, or no party, has not
    reached the AI.
    """
    end, instead = scene.value("caller.end"), scene.value("instead")
    if "answered.first" in found:
        return
    unseen = scene.moment in _CALLS_THE_AI and not scene.vantage.sees("ai")
    not_reached = end in ("refused", "still ringing") or instead not in (None, "nobody")
    if unseen and not_reached and "landing.answered_by" not in {f.check for f in scene.findings}:
        found.setdefault("reach", [])
    # The platform answered, as agreed, and hung up; nothing was heard of the AI, and no evidence
    # shows that it took the call.
    dropped = end == DROPPED and scene.value("call.reason") is None
    unheard = scene.value("audio.to_caller") in NO_VOICE and scene.value("ai.spoke") is not True
    if dropped and unheard and scene.moment in _CALLS_THE_AI:
        found.setdefault("reach", [])
    # If the AI took the call, it may have transferred it to the phone that rang.
    taken = scene.value("ai.saw") in ("answered", "another assistant answered")
    turned_away = end == "refused" or (instead == "another group" and not taken)
    if "reach" in found and scene.value("fallback.configured") is True and turned_away:
        found.setdefault("fallback", [])
