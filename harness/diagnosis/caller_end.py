"""Facts on how the caller's call ended, who answered it first, and who rang instead of the AI."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.case.checks.timing import is_too_soon
from harness.case.events import CallState, LegStarted, SipMessage
from harness.case.model import CallMessage, read
from harness.case.verdict import Finding
from harness.deployment import Line
from harness.diagnosis.refusals import OF_THE_STACK, TERMINATED, about, of_message
from harness.diagnosis.scene import Scene, answered_request, listed
from harness.sip import why
from harness.sip.message import Message, Response

#: Sooner than this after the INVITE, no timer can have run out.
AT_ONCE_S = 1.0
#: How the caller's call ended when the platform did not answer the INVITE at all.
UNHEARD = "not at all: nothing came back to the INVITE"
#: And when no INVITE left the phone.
UNSENT = "not at all: no INVITE left, for want of an address"
#: And when the platform itself had answered, with an announcement or a menu, and no party took the
#: call after that.
DROPPED = "dropped, after the platform itself had answered"
#: Who answered the caller first.
PLATFORM = "the platform"
#: Checks of what cannot come any more once the caller has been answered.
_BEFORE_THE_ANSWER = ("ringing", "final_response", "audio.early", "prack")


def derive(scene: Scene) -> None:
    """How the call ended comes first: hours, and whether the platform answered by itself, are
    judged by it.
    """
    if is_withheld(scene):
        scene.record("caller.withheld", True, "the caller's INVITE asks for privacy (RFC 3323)")
    if scene.line is not None:
        _declared(scene, scene.line)
    if scene.call is not None:
        _ended(scene, scene.call)
    for finding in scene.of("final_response"):
        _final_response(scene, finding)
    if scene.call is not None and scene.call.direction == "outgoing" and not scene.platform_answers:
        _answered_first(scene, scene.call)
    _hours(scene)
    _answered_itself(scene)


def _declared(scene: Scene, line: Line) -> None:
    """Who takes over for the AI, by the deployment file."""
    scene.record("fallback.configured", line.fallback is not None, "deployment file")
    if line.overflow and scene.moment != "people":
        scene.record("overflow.needed", True, f"overflow = {line.overflow} in the file")
    if line.failover is not None and not line.reachable:
        words = f"failover = {line.failover}, reachable = false in the file"
        scene.record("failover.needed", True, words)
    if not scene.takers_are_seen:
        scene.record("fallback.unseen", True, "deployment file")


def _final_response(scene: Scene, finding: Finding) -> None:
    """The status that ended the caller's request, and whether the platform made another one of the
    AI's.
    """
    method, code = answered_request(finding), finding.facts.get("code")
    if method == "OPTIONS" and finding.failed:
        scene.record("options.answer", "refused" if code else "none", finding.actual)
    if method != "INVITE":
        return
    if code == TERMINATED and _gave_up(scene):
        return  # the answer to the caller's own CANCEL
    scene.record("final.code", code, *finding.evidence, leg=finding.subject)
    refused = isinstance(code, int) and code >= 300
    said_by_ai = scene.value("ai.code") in listed(finding.facts.get("wanted"))
    if finding.failed and refused and said_by_ai:
        reported = (finding.actual, *scene.shown_by("ai.code"))
        scene.record("final.changed", True, *reported, leg=finding.subject)


def is_withheld(scene: Scene) -> bool:
    """Whether the caller withholds the number (RFC 3323)."""
    sent = [m.message for m in scene.messages_of("caller") if _is_sent_invite(m)]
    return any(map(_asks_for_privacy, sent))


def _is_sent_invite(seen: CallMessage) -> bool:
    return not seen.received and seen.is_request("INVITE")


def _asks_for_privacy(invite: Message) -> bool:
    """Whether one of its priv-values withholds the number (RFC 3323 section 4.2, RFC 3325 section
    9.3).
    """
    privacy = ";".join(invite.get_all("Privacy")).replace(" ", "").lower()
    return not {"id", "user"}.isdisjoint(privacy.split(";"))


def _ended(scene: Scene, call: LegStarted) -> None:
    """How the caller's call ended. A 487 is no refusal if the caller gave up itself (RFC 3261
    section 9.2).
    """
    confirmed, ended = scene.state(call.leg, "confirmed"), scene.state(call.leg, "disconnected")
    final = _final_state(scene, call)
    if final is not None and final.code == TERMINATED and _gave_up(scene):
        final = ended = None  # the harness hung up on an unanswered call
    hung_up_on = confirmed is not None and ended is not None and _was_hung_up_on(scene)
    if hung_up_on and scene.platform_answers:
        words = f"{call.leg} confirmed, and ended by the platform"
        scene.record("caller.end", DROPPED, words, leg=call.leg)
    elif confirmed is not None:
        scene.record("caller.end", "answered", f"{call.leg} confirmed", leg=call.leg)
    elif scene.value("caller.answer") is not None:
        # A 200 came; what followed is not the far end's refusal.
        scene.record("caller.end", "answered", *scene.shown_by("caller.answer"), leg=call.leg)
    elif unheard := _unheard(scene, call):
        scene.record("caller.end", *unheard, leg=call.leg)
        final = None  # a 408 or 503 of the phone's own stack (RFC 3261 section 8.1.3.1)
    elif final is not None:
        _refused(scene, call, final)
    elif ended is None:
        scene.record("caller.end", "still ringing", f"{call.leg} was never answered", leg=call.leg)
    _instead(scene, call, confirmed, final)


def _final_state(scene: Scene, call: LegStarted) -> CallState | None:
    """The state in which a refusal left the call."""
    for state in scene.states(call.leg):
        if state.state == "disconnected" and state.code >= 300:
            return state
    return None


def _was_hung_up_on(scene: Scene) -> bool:
    """Whether the caller got the first BYE of a call that the AI did not take."""
    if scene.value("ai.saw") in ("answered", "another assistant answered"):
        return False
    first_bye = next((m for m in scene.own if m.is_request("BYE")), None)
    return first_bye is not None and first_bye.received


def _instead(
    scene: Scene, call: LegStarted, confirmed: CallState | None, final: CallState | None
) -> None:
    """Who rang instead of the AI, and when the platform decided on that."""
    moment = final.at if final and not confirmed else None
    if scene.vantage.sees("agent") and call.direction == "outgoing":
        rang = _agents_that_rang(scene)
        whose = _whose(scene, rang[0].phone) if rang else "nobody"
        scene.record("instead", whose, *(f"{leg.leg} rang" for leg in rang[:2]))
        if rang:
            moment = rang[0].at
    elif confirmed is not None and confirmed.at - _invited_at(scene, call) < AT_ONCE_S:
        moment = confirmed.at  # later, it may have been an agent who answered
    if moment is not None:
        _when(scene, call, moment, confirmed.at if confirmed else None)


def _agents_that_rang(scene: Scene) -> list[LegStarted]:
    """The legs of agents, the first to ring first, except for those who ring before the AI."""
    declined = _declined(scene)
    legs = [leg for leg in scene.legs_of("agent") if leg.phone not in declined]
    return sorted(legs, key=lambda leg: leg.at)


def _declined(scene: Scene) -> Collection[str]:
    """The agents who are to ring before the AI takes over from them."""
    if scene.value("overflow.needed") is None or not scene.line or not scene.deployment:
        return ()
    return scene.deployment.groups[str(scene.line.group)].agents


def _refused(scene: Scene, call: LegStarted, final: CallState) -> None:
    """With which status the call was refused, whether the AI had said the same, and what the
    refusal is about.
    """
    answers = [m.message for m in scene.own if m.received and m.answers("INVITE") == final.code]
    answer = answers[-1] if answers else None
    reported = why.stated(answer)
    status = f"{final.code} {final.reason}".rstrip()
    ended = f"{call.leg} ended with {status}"
    scene.record("caller.end", "refused", ended, *reported, leg=call.leg)
    scene.record("final.code", final.code, f"{call.leg}: {status}", *reported, leg=call.leg)
    if scene.value("ai.code") == final.code:
        words = f"{call.leg}: {final.code}, as the AI said"
        scene.record("final.passed_on", True, words, leg=call.leg)
    said = of_message(answer) if isinstance(answer, Response) else about(final.reason)
    # A response's reason is the server's, however much it reads like an error of this machine.
    if not said and answer is None and OF_THE_STACK.search(final.reason):
        said = "the connection"
    scene.record("final.refusal", said, f"{call.leg}: {final.reason}", *reported, leg=call.leg)


def _unheard(scene: Scene, call: LegStarted) -> tuple[str, str] | None:
    """That nothing came back to the caller's INVITE, or that none could be sent. None if something
    came, or no phone waited for it.
    """
    invites = [m for m in scene.own if _is_sent_invite(m)]
    names = scene.shown_by("name.caller")
    if not invites and names:
        return UNSENT, names[0]
    if call.direction != "outgoing" or not invites:
        return None
    if any(read(message.text) is None for message in scene.events_of(SipMessage, call.leg)):
        return None  # something came that is not a SIP message
    received = [m for m in scene.own if m.received]
    if received:
        if not _is_only_challenged(received, invites[-1]):
            return None
        invites = [m for m in invites if m.is_of(invites[-1])]
    if scene.at_ai or any(leg.direction == "incoming" for leg in scene.legs):
        return None  # the platform routed the call, so its answers were lost
    latest = max(event.at for event in scene.events)
    if latest - invites[0].time < AT_ONCE_S:  # 100 comes within 200 ms (section 17.2.1)
        return None
    last = invites[-1]
    words = f"{call.leg} sent it {len(invites)}× to {last.remote} over {last.transport.upper()}"
    if received:
        words += ", with credentials: the one before was challenged"
    return UNHEARD, words


def _is_only_challenged(received: Sequence[CallMessage], last: CallMessage) -> bool:
    """Whether all that came is a challenge of the INVITE before the last: then nothing came back to
    the one with credentials (RFC 3261 section 22.2).
    """
    if any(m.number in (-1, last.number) for m in received):
        return False
    return any(m.is_challenge for m in received)


def _gave_up(scene: Scene) -> bool:
    return any(m.is_request("CANCEL") and not m.received for m in scene.own)


def _invited_at(scene: Scene, call: LegStarted) -> float:
    return min((m.time for m in scene.own if m.is_request("INVITE")), default=call.at)


def _when(scene: Scene, call: LegStarted, moment: float, confirmed: float | None) -> None:
    """When the platform routed the call, from the INVITE or the end of its announcement. The end of
    a menu is not known.
    """
    invited = _invited_at(scene, call)
    began, since, has_menu = invited, "the INVITE", False
    line = scene.line if scene.platform_answers else None
    if line is not None and confirmed is not None and confirmed < moment:
        began, since = confirmed + line.announcement_s, "the announcement"
        has_menu = bool(line.press)
    after = moment - began
    when = "at once" if after < AT_ONCE_S else "after waiting"
    if when == "at once" or not has_menu:
        scene.record("instead.when", when, f"{after:.2f} s after {since}")
    if scene.value("ai.saw") == "rang":
        _rang_for(scene, moment - invited)


def _rang_for(scene: Scene, after: float) -> None:
    """Whether the AI cannot have rung for the agreed ring timeout, of a simulated deployment's two
    the shorter.
    """
    timings = scene.deployment.timings if scene.deployment else None
    if timings is None:
        return
    agreed = timings.ring_timeout_s
    if timings.quick is not None:
        agreed = min(agreed, timings.quick.ring_timeout_s)
    if is_too_soon(after, agreed):
        words = f"{after:.2f} s after the INVITE, and {agreed:g} s are agreed"
        scene.record("instead.early", True, words)


def _whose(scene: Scene, phone: str) -> str:
    """Which group the agent belongs to whose phone rang."""
    fallback = scene.line.fallback if scene.line else None
    if scene.deployment is None or fallback is None:
        return "an agent"
    if phone in scene.deployment.groups[fallback].agents:
        return "the fallback group"
    return "another group"


def _hours(scene: Scene) -> None:
    """Whether the platform treated the number, or the group of the handover, as open though the
    case calls it while it is closed, or the reverse.
    """
    if scene.line is None or scene.deployment is None:
        return
    line, groups, handover = scene.line, scene.deployment.groups, scene.handover
    to = handover.transfer_to if handover and scene.moment == "transfer" else None
    opening = groups[to] if to else scene.deployment.opening(scene.line_name)
    if opening.hours is None:
        return
    rang = {leg.phone for leg in scene.legs_of("agent")}
    by_night = set(groups[opening.closed].agents if opening.closed else ())
    by_day: set[str] = set()
    for name in (to,) if to else (line.group, line.fallback):
        by_day |= set(groups[name].agents if name else ())
    at_ai = to is None and _came_to_the_ai(scene)
    has_message = opening.closed is None or groups[opening.closed].is_machine
    if scene.is_out_of_hours:
        scene.record("hours.closed", True, "deployment file")
        if at_ai:
            scene.record("hours.treated", "as if open", "the AI was called")
        elif rang & by_day - by_night:
            words = f"{', '.join(sorted(rang & by_day))} rang"
            scene.record("hours.treated", "as if open", words)
    elif rang & by_night - by_day and not at_ai:
        scene.record("hours.treated", "as if closed", f"{', '.join(sorted(rang & by_night))} rang")
    elif has_message and not rang and _answered_by_machine(scene, line):
        words = "the call was answered, and neither the AI nor an agent was called"
        scene.record("hours.treated", "as if closed", words)


def _came_to_the_ai(scene: Scene) -> bool:
    if scene.value("ai.saw") in ("answered", "another assistant answered", "rang", "refused"):
        return True
    return bool(scene.invites or scene.failed("route.not_reached"))


def _answered_itself(scene: Scene) -> None:
    """Whether the platform answered the caller at once and rang no phone, as it does out of hours
    that the file does not know.
    """
    call, line = scene.call, scene.line
    if line is None or scene.deployment is None or call is None:
        return
    if scene.deployment.opening(scene.line_name).hours is not None:
        return
    confirmed = scene.state(call.leg, "confirmed")
    if confirmed is None or scene.value("instead") != "nobody":
        return
    after = confirmed.at - _invited_at(scene, call)
    if after >= AT_ONCE_S or scene.platform_answers or _others_may_answer(scene, line):
        return
    how = "at once, past the fallback" if line.fallback else "at once"
    if not line.group and line.reachable and scene.value("ai.saw") is None:
        how = "at once, or the AI did"
    scene.record("answered.itself", how, f"{call.leg} was answered {after:.2f} s after the INVITE")


def _others_may_answer(scene: Scene, line: Line) -> bool:
    """Whether the AI answered the call, or somebody may have whom no harness phone stands for."""
    if scene.value("ai.saw") not in (None, "nothing"):
        return True
    if scene.failed("voicemail"):  # what answered is not the group's machine
        return False
    groups = scene.deployment.groups if scene.deployment else {}
    called = [groups[name] for name in (line.group, line.fallback) if name]
    return any(group.answers_itself for group in called) or not scene.takers_are_seen


def _answered_by_machine(scene: Scene, line: Line) -> bool:
    """Whether the call was answered though the platform is to answer none itself, and no one else
    was called.
    """
    if scene.value("caller.end") != "answered" or scene.platform_answers:
        return False
    if scene.value("ai.saw") != "nothing":
        return False
    if scene.deployment is None or not line.fallback:
        return True
    fallback = scene.deployment.groups[line.fallback]
    return scene.takers_are_seen and not fallback.has_machine


# -- who answered first


def comes_before_the_answer(finding: Finding) -> bool:
    """Whether a finding is about something that can come only before the caller is answered."""
    return finding.check in _BEFORE_THE_ANSWER and answered_request(finding) == "INVITE"


def _answered_first(scene: Scene, call: LegStarted) -> None:
    """Whether the platform answered the caller by itself: every phone that it may have called is
    seen, and none had answered.
    """
    confirmed = scene.state(call.leg, "confirmed")
    called = {leg.leg for leg in scene.legs if leg.direction == "incoming"}
    if confirmed is None or _has_answered(scene, called, confirmed.at):
        return
    if _all_are_seen(scene) and (called or not scene.has_stand_in):
        what = "which had not answered" if scene.has_stand_in else f"which {scene.value('ai.saw')}"
        scene.record("answered.first", PLATFORM, f"{call.leg} was answered before the AI, {what}")
    elif any(comes_before_the_answer(finding) for finding in scene.findings if finding.failed):
        words = f"{call.leg} was answered, and no phone that was seen had answered"
        scene.record("answered.first", "nobody who was seen", words)


def _all_are_seen(scene: Scene) -> bool:
    """Whether it is known of everybody who may have answered the caller whether they did."""
    saw = ["rang", "refused"]
    if scene.has_stand_in:
        saw.append("answered")  # a record tells that the AI answered, but not when
    if scene.value("ai.saw") not in saw:
        return False
    return scene.vantage.sees("agent") and scene.takers_are_seen


def _has_answered(scene: Scene, legs: set[str | None], by: float) -> bool:
    """Whether one of these legs was answered by then. Its state may be reported only after the
    caller got the 200 that it sent.
    """
    for state in scene.events.of(CallState):
        is_up = state.state in ("connecting", "confirmed")
        if is_up and state.leg in legs and state.at <= by:
            return True
    sent = (m for m in scene.messages if m.leg in legs and not m.received and m.time <= by)
    return any(m.accepts("INVITE") for m in sent)
