"""Facts that any leg can show: what harness phones refused themselves, who hung up, and what was
lost on the way to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.case.check_table import Role
from harness.case.events import LegStarted
from harness.case.model import CallMessage, bye_outcome
from harness.diagnosis.audio import direction_of
from harness.diagnosis.caller_end import DROPPED
from harness.diagnosis.dialogue import UNDER_WAY_S
from harness.diagnosis.refusals import TERMINATED
from harness.diagnosis.scene import Scene, number_in, offered_audio
from harness.diagnosis.sdp import holds, offered
from harness.sip import why
from harness.sip.message import Response

_MALFORMED = "a malformed request"
_AS_ASKED = "as the case asks"
#: What a phone's SIP stack refuses itself, before any scenario is asked (RFC 3261 section 21.4):
#: status → what that is about.
_BY_STACK = {
    **dict.fromkeys((406, 415, 488, 606), "its media"),
    **dict.fromkeys((420, 421), "an extension"),
    422: "its session interval",  # RFC 4028 section 6
}
#: What it refuses without a leg, because it has as many calls as it takes (section 21.4.24) or
#: cannot parse the request or its SDP (section 21.4.1). A scenario that refuses has a leg.
_WITHOUT_LEG = {486: "another call", 400: _MALFORMED}
#: The facts about offers that agents' and callers' phones refused.
_OFFERS = {"agent": "offer.agent", "caller": "offer.customer"}
_ANSWERED_AND_OVER_S = 1.0
#: In a Reason: another device has taken the call (RFC 3326 section 2: SIP ;cause=200 ;text="Call
#: completed elsewhere").
_ELSEWHERE = re.compile(r"\bSIP\s*;\s*cause\s*=\s*200\b|elsewhere", re.I)


def derive(scene: Scene) -> None:
    """What depends on other parts' facts comes after what messages show by themselves."""
    roles: tuple[Role, ...] = ("caller", "agent", "ai")
    for role in roles:
        messages = _until_over(scene, scene.messages_of(role))
        _refused(scene, role, messages)
        _turned_down(scene, role, messages)
    _hung_up(scene, "agent", _until_over(scene, scene.messages_of("agent")))
    _hung_up(scene, "ai", scene.at_ai)
    if scene.call is not None and scene.call.direction == "outgoing":
        _dialled(scene, scene.call)
    _agents(scene)
    _held(scene)
    _answered_elsewhere(scene)
    _limit(scene)
    if scene.moment == "campaign" and scene.vantage.sees("caller"):
        rang = any(leg.direction == "incoming" for leg in scene.legs_of("caller"))
        scene.record("customer.rang", rang, "the customer's phone")


def _until_over(scene: Scene, messages: Sequence[CallMessage]) -> list[CallMessage]:
    """Those that are not due to the harness hanging up."""
    return [m for m in messages if m.time <= scene.over]


def _dialled(scene: Scene, call: LegStarted) -> None:
    """The form of the number that the caller dialled."""
    number = number_in(call.remote_uri) or ""
    if re.search(r"\d", number):  # else the caller dialled a name
        form = "E.164" if number.startswith("+") else "another form"
        target = call.remote_uri.partition("@")[0]
        scene.record("dialled.form", form, f"{call.leg} dialled {target}")


# -- requests to harness phones, and from them


def _refused(scene: Scene, role: Role, messages: list[CallMessage]) -> None:
    """An INVITE that the phone's own stack refused, and that was not tried again with success; of a
    stand-in, any refusal.
    """
    taken = {m.phone: m.time for m in messages if not m.received and m.accepts("INVITE")}
    for invite in messages:
        if not (invite.received and invite.begins_dialog):
            continue
        for answer in messages:
            if answer.received or not answer.is_of(invite):
                continue
            what = _refused_for(role, answer)
            if what is not None and answer.time >= taken.get(answer.phone, 0.0):
                _refusal(scene, role, invite, answer, what)


def _refused_for(role: Role, answer: CallMessage) -> str | None:
    """What made the phone refuse; None if the answer is no refusal, or the scenario's."""
    if answer.status in _BY_STACK:
        return _BY_STACK[answer.status]
    if answer.leg is None and answer.status in _WITHOUT_LEG:
        return _WITHOUT_LEG[answer.status]
    if role != "ai" or answer.status < 300:
        return None
    is_part_of_call = answer.is_challenge or answer.status == TERMINATED
    return None if is_part_of_call else _AS_ASKED


def _refusal(scene: Scene, role: Role, invite: CallMessage, answer: CallMessage, what: str) -> None:
    """Record what a phone refused, and which media the INVITE had offered."""
    how = what if what == _AS_ASKED else "by itself"
    leg = answer.leg or answer.phone
    words = f"{answer.phone} refused it {how} with {answer.status}"
    reported = (words, answer.where, *why.stated(answer.message))
    scene.record(f"refusal.{role}", what, *reported, leg=leg)
    if role in _OFFERS:
        audio = offered_audio(invite.message)
        scene.record(_OFFERS[role], offered(invite.sdp), invite.where, audio, leg=leg)


def _hung_up(scene: Scene, role: Role, messages: list[CallMessage]) -> None:
    """How a BYE of the AI or an agent was answered. Without an answer in a record, whose messages
    have no time, it is unknown.
    """
    byes = [m for m in messages if not m.received and m.is_request("BYE")]
    received = [m for m in messages if m.received]
    for number, bye in enumerate(byes, start=1):
        answer = next((m for m in received if m.is_final and m.is_of(bye)), None)
        if answer is None:
            if bye.at is not None and scene.over - bye.at > UNDER_WAY_S:
                scene.record(f"hangup.{role}", "none", bye.where, leg=bye.leg)
            continue
        again = any(later.message.call_id == bye.message.call_id for later in byes[number:])
        if answer.is_challenge and again:
            continue  # the BYE with credentials counts
        assert isinstance(answer.message, Response)
        outcome = bye_outcome(answer.message, received)
        scene.record(f"hangup.{role}", outcome, bye.where, answer.where, leg=bye.leg)


def _turned_down(scene: Scene, role: Role, messages: list[CallMessage]) -> None:
    """Whether a harness phone refused a BYE to a leg of its own: it names a dialog that is none (RFC
    3261 section 15.1.2).
    """
    for bye in messages:
        if not (bye.received and bye.is_request("BYE")):
            continue
        answer = next((m for m in messages if not m.received and m.is_of(bye)), None)
        if answer is not None and answer.status >= 300:
            words = f"{answer.phone} answered it with {answer.status}"
            scene.record(f"bye.{role}", "refused", bye.where, words, answer.where, leg=bye.leg)


def _agents(scene: Scene) -> None:
    """Of each agent who was called: whether the answer was acknowledged, or crossed another
    device's.
    """
    for leg in scene.legs_of("agent"):
        if not leg.leg or leg.direction != "incoming":
            continue
        seen = _until_over(scene, scene.messages_on(leg.leg))
        elsewhere = next((m for m in seen if _is_taken_elsewhere(m)), None)
        taken = next((m for m in seen if not m.received and m.accepts("INVITE")), None)
        if taken is not None:
            _acknowledged(scene, leg.leg, seen, taken)
            _raced(scene, leg.leg, seen, taken, elsewhere)
        elif elsewhere is not None:
            scene.record("agent.raced", True, elsewhere.where, leg=leg.leg)


def _is_taken_elsewhere(seen: CallMessage) -> bool:
    """Whether it ends a call at a phone because another device has taken it."""
    if not seen.received or not seen.is_request("CANCEL", "BYE"):
        return False
    return _ELSEWHERE.search(seen.message.get("Reason") or "") is not None


def _acknowledged(scene: Scene, leg: str, seen: list[CallMessage], taken: CallMessage) -> None:
    """Whether the agent's 200 got an ACK. Without one it is repeated (RFC 3261 section 13.3.1.4)."""
    copies = [m for m in seen if not m.received and m.accepts("INVITE") and m.is_of(taken)]
    if any(m.received and m.acknowledges(taken) for m in seen):
        scene.record("agent.ack", "arrived", taken.where, leg=leg)
    elif len(copies) > 1:
        scene.record("agent.ack", "none", taken.where, leg=leg)


def _raced(
    scene: Scene,
    leg: str,
    seen: list[CallMessage],
    taken: CallMessage,
    elsewhere: CallMessage | None,
) -> None:
    """Whether the agent's answer crossed another device's: ``perhaps`` if it was hung up on at
    once, and nothing says why.
    """
    given_up = next((m for m in seen if m.received and m.is_request("CANCEL")), None)
    bye = next((m for m in seen if m.received and m.is_request("BYE")), None)
    reported = [m.where for m in (elsewhere, given_up, bye) if m is not None]
    at_once = bye is not None and bye.time - taken.time < _ANSWERED_AND_OVER_S
    if elsewhere is not None or given_up is not None:
        scene.record("agent.raced", True, taken.where, *reported, leg=leg)
    elif bye is not None and at_once and not _caller_is_told(scene, bye):
        scene.record("agent.raced", "perhaps", taken.where, *reported, leg=leg)


def _caller_is_told(scene: Scene, bye: CallMessage) -> bool:
    """Whether the caller's call was ended within a second of that BYE as well."""
    theirs = (m for m in scene.messages_of("caller") if m.received and m.is_request("BYE"))
    return any(abs(m.time - bye.time) < _ANSWERED_AND_OVER_S for m in theirs)


def _held(scene: Scene) -> None:
    """Whether the newest SDP that caller or agent got when they were not heard holds the media (RFC
    3264 section 8.4).
    """
    for finding in scene.failed("audio"):
        if direction_of(scene, finding) != "audio.agent":
            continue
        for leg in (finding.speaker, finding.listener):
            received = [m for m in scene.messages_on(leg) if m.received and m.describes_audio]
            came = [m for m in received if m.time <= finding.at]
            if came and holds(came[-1].sdp):
                scene.record("agent.held", True, came[-1].where, leg=scene.call_of(finding))


# -- who answered, if none of the harness phones rang


def _answered_elsewhere(scene: Scene) -> None:
    """Whether a phone that the harness does not see answered the transferred call, or the call that
    the AI did not take.
    """
    wanted = {finding.facts.get("wanted") for finding in scene.failed("landing")}
    groups = scene.deployment.groups if scene.deployment else {}
    if any(group.answers_itself for name, group in groups.items() if name in wanted):
        scene.record("group.waits", True, "deployment file")
    if scene.value("transfer.landed") == "nowhere":
        _transfer_answered_elsewhere(scene)
    if scene.value("fallback.landed") == "nowhere":
        _fallback_answered_elsewhere(scene)


def _transfer_answered_elsewhere(scene: Scene) -> None:
    """The first sign counts: what shows an answer is asked before what excludes one."""
    value, record = scene.value, scene.record
    fact = "answered.elsewhere"
    for leg in scene.legs:
        if leg.replaces is not None and scene.state(leg.leg, "confirmed"):
            record(fact, True, f"{leg.leg}, the call placed on the REFER, was answered")
    if value("transfer.way") == "INVITE" and value("transfer.answer") == "accepted":
        record(fact, True, *scene.shown_by("transfer.answer"))
    if value("transfer.passed_on") is True:
        words = "no party answered the call that the caller's phone placed on the REFER"
        record(fact, False, words)
    if value("transfer.asked") is False or value("transfer.answer") not in (None, "accepted"):
        record(fact, False, "the transfer was not accepted")
    if value("transfer.failed") is True:
        record(fact, False, "the platform said that the transfer failed")
    ended = _ended_at_once(scene)
    if ended is not None:
        record(fact, False, "the platform ended the caller's call at once", ended)
    if value("transfer.recorded") not in (None, "done", 200):
        # a NOTIFY reports an answer to the AI (RFC 3515 section 2.4.4)
        record(fact, False, "the AI's record does not say that the transfer was done")


def _fallback_answered_elsewhere(scene: Scene) -> None:
    """A call that the AI did not take was answered by somebody unseen if it was answered at all."""
    end = scene.value("caller.end")
    at_ai = scene.value("ai.saw") in ("answered", "another assistant answered")
    as_if_open = scene.value("hours.treated") == "as if open"
    if end not in (None, "answered", DROPPED) or at_ai or as_if_open:
        scene.record("answered.elsewhere", False, "no harness phone took the AI's call")
        return
    # If neither is known, the AI may have answered.
    ai_is_known = bool(scene.value("ai.saw") or scene.value("ai.lost"))
    if end is not None and ai_is_known and not scene.platform_answers:
        scene.record("answered.elsewhere", True, *scene.shown_by("caller.end"))


def _ended_at_once(scene: Scene) -> str | None:
    """The BYE that the caller got within a second of the AI's REFER: too soon for somebody to have
    answered and hung up.
    """
    referred: float | None = None
    for seen in scene.messages:
        if seen.time > scene.over:
            continue
        role = scene.vantage.role(seen.phone)
        if role == "ai" and not seen.received and seen.is_request("REFER"):
            referred = seen.time
        is_bye = role == "caller" and seen.received and seen.is_request("BYE")
        if is_bye and referred is not None:
            return seen.where if seen.time - referred < _ANSWERED_AND_OVER_S else None
    return None


# -- how many calls a trunk takes


def _limit(scene: Scene) -> None:
    """How many of the calls placed at once reached the AI, against the number agreed for the trunk."""
    trunk = scene.trunk
    if scene.moment != "limit" or trunk is None:
        return
    made = len({leg.leg for leg in scene.placed})
    scene.record("limit.tried", True, f"{made} calls")
    if not scene.vantage.sees("ai"):
        return
    agreed = trunk.max_concurrent_calls
    reached = len({seen.message.call_id for seen in scene.invites})
    words = f"{made} calls were made, {reached} reached the AI, {agreed} are agreed"
    if reached > agreed:
        most = _at_once(scene)
        more = "more than agreed" if most > agreed else "as agreed"
        scene.record("limit", more, f"{words}, at most {most} at once")
    elif reached == 0:
        scene.record("limit", "none at all", words)
    else:
        value = "fewer than agreed" if reached < min(made, agreed) else "as agreed"
        scene.record("limit", value, words)


def _at_once(scene: Scene) -> int:
    """The most calls that the AI's side had at a time, because a refused call may be tried again.
    Without times, all that came.
    """
    if any(seen.at is None for seen in scene.at_ai):
        return len({seen.message.call_id for seen in scene.invites})
    most, up = 0, dict[str, CallMessage]()
    for seen in scene.at_ai:
        call = seen.message.call_id
        if seen.received and seen.begins_dialog:
            up[call] = seen
        elif call in up and _ends(seen, up[call]):
            del up[call]
        most = max(most, len(up))
    return most


def _ends(seen: CallMessage, invite: CallMessage) -> bool:
    """Whether it ends the call of that INVITE, or refuses it."""
    if seen.is_request("BYE", "CANCEL"):
        return True
    return seen.answers("INVITE") >= 300 and seen.is_of(invite)
