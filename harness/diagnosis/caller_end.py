"""Facts on how the caller's call ended, who answered it first, and who rang instead of the AI."""

from __future__ import annotations

from collections.abc import Collection

from harness.case.checks.timing import is_too_soon
from harness.case.events import CallState, LegStarted, SipMessage
from harness.case.model import CallMessage, read
from harness.case.verdict import Finding
from harness.deployment import Line
from harness.diagnosis.refusals import OF_THE_STACK, TERMINATED, about, of_message
from harness.diagnosis.scene import Scene, answered_request, listed
from harness.sip import why
from harness.sip.message import Response

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
    if is_withheld(scene):
        scene.record("caller.withheld", True, "the caller's INVITE asks for privacy (RFC 3323)")
    if scene.line is not None:
        line = scene.line
        scene.record("fallback.configured", line.fallback is not None, "deployment file")
        after = bool(line.overflow) and scene.moment != "people"
        scene.record("overflow.needed", after or None, f"overflow = {line.overflow} in the file")
        needed = line.failover is not None and not line.reachable
        words = f"failover = {line.failover}, reachable = false in the file"
        scene.record("failover.needed", needed or None, words)
        scene.record("fallback.unseen", None if scene.takers_are_seen else True, "deployment file")
    if scene.call is not None:
        _ended(scene, scene.call)
    for finding in scene.of("final_response"):
        if answered_request(finding) == "INVITE":
            code, wanted = finding.facts.get("code"), listed(finding.facts.get("wanted"))
            if code == TERMINATED and _gave_up(scene):
                continue  # the answer to the caller's own CANCEL
            scene.record("final.code", code, *finding.evidence, leg=finding.subject)
            changed = (
                finding.failed
                and scene.value("ai.code") in wanted
                and isinstance(code, int)
                and code >= 300
            )
            reported = (finding.actual, *scene.shown_by("ai.code"))
            scene.record("final.changed", changed or None, *reported, leg=finding.subject)
        elif answered_request(finding) == "OPTIONS" and finding.failed:
            scene.record(
                "options.answer", "refused" if finding.facts.get("code") else "none", finding.actual
            )
    if scene.call is not None and scene.call.direction == "outgoing" and not scene.platform_answers:
        _answered_first(scene, scene.call)
    _hours(scene)
    _answered_itself(scene)


def is_withheld(scene: Scene) -> bool:
    """Whether the caller withholds the number (RFC 3323)."""
    sent = (
        m.message for m in scene.messages_of("caller") if not m.received and m.is_request("INVITE")
    )
    return any(
        {"id", "user"} & set(";".join(m.get_all("Privacy")).replace(" ", "").lower().split(";"))
        for m in sent
    )


def _ended(scene: Scene, call: LegStarted) -> None:
    confirmed, ended = scene.state(call.leg, "confirmed"), scene.state(call.leg, "disconnected")
    refused = (s for s in scene.states(call.leg) if s.state == "disconnected" and s.code >= 300)
    final = next(refused, None)
    if final is not None and final.code == TERMINATED and _gave_up(scene):
        final = ended = None  # the harness hung up on an unanswered call
    taken = scene.value("ai.saw") in ("answered", "another assistant answered")
    first_bye = next((m for m in scene.own if m.is_request("BYE")), None)
    hung_up_on = bool(confirmed and ended and not taken and first_bye and first_bye.received)
    if hung_up_on and scene.platform_answers:
        scene.record(
            "caller.end", DROPPED, f"{call.leg} confirmed, and ended by the platform", leg=call.leg
        )
    elif confirmed is not None:
        scene.record("caller.end", "answered", f"{call.leg} confirmed", leg=call.leg)
    elif (
        scene.value("caller.answer") is not None
    ):  # a 200 came; what followed is not the far end's refusal
        scene.record("caller.end", "answered", *scene.shown_by("caller.answer"), leg=call.leg)
    elif unheard := _unheard(scene, call):
        scene.record("caller.end", *unheard, leg=call.leg)
        final = None  # a 408 or 503 of the phone's own stack (RFC 3261 section 8.1.3.1)
    elif final is not None:
        _refused(scene, call, final)
    elif ended is None:
        scene.record("caller.end", "still ringing", f"{call.leg} was never answered", leg=call.leg)
    moment = final.at if final and not confirmed else None
    if scene.vantage.sees("agent") and call.direction == "outgoing":
        declined = _declined(scene)
        agents = (e for e in scene.legs_of("agent") if e.phone not in declined)
        rang = sorted(agents, key=lambda e: e.at)
        whose = _whose(scene, rang[0].phone) if rang else "nobody"
        scene.record("instead", whose, *(f"{e.leg} rang" for e in rang[:2]))
        moment = rang[0].at if rang else moment
    elif confirmed is not None and confirmed.at - _invited_at(scene, call) < AT_ONCE_S:
        moment = confirmed.at  # later, it may have been an agent who answered
    if moment is not None:
        _when(scene, call, moment, confirmed.at if confirmed else None)


def _declined(scene: Scene) -> Collection[str]:
    """The agents who are to ring before the AI takes over from them."""
    if scene.value("overflow.needed") is None or not scene.line or not scene.deployment:
        return ()
    return scene.deployment.groups[str(scene.line.group)].agents


def _refused(scene: Scene, call: LegStarted, final: CallState) -> None:
    answers = [m.message for m in scene.own if m.received and m.answers("INVITE") == final.code]
    answer = answers[-1] if answers else None
    reported = why.stated(answer)
    scene.record(
        "caller.end",
        "refused",
        f"{call.leg} ended with {final.code} {final.reason}".rstrip(),
        *reported,
        leg=call.leg,
    )
    scene.record(
        "final.code",
        final.code,
        f"{call.leg}: {final.code} {final.reason}".rstrip(),
        *reported,
        leg=call.leg,
    )
    same = scene.value("ai.code") == final.code
    scene.record(
        "final.passed_on", same or None, f"{call.leg}: {final.code}, as the AI said", leg=call.leg
    )
    said = of_message(answer) if isinstance(answer, Response) else about(final.reason)
    # A response's reason is the server's, however much it reads like an error of this machine.
    lost = "the connection" if answer is None and OF_THE_STACK.search(final.reason) else None
    scene.record(
        "final.refusal", said or lost, f"{call.leg}: {final.reason}", *reported, leg=call.leg
    )


def _unheard(scene: Scene, call: LegStarted) -> tuple[str, str] | None:
    """That nothing came back to the caller's INVITE, or that none could be sent. None if something
    came, or no phone waited for it.
    """
    invites = [m for m in _sent(scene) if m.is_request("INVITE")]
    if not invites and (names := scene.shown_by("name.caller")):
        return UNSENT, names[0]
    if call.direction != "outgoing" or not invites:
        return None
    received = [m for m in scene.own if m.received]
    if any(read(message.text) is None for message in scene.events_of(SipMessage, call.leg)):
        return None  # something came that is not a SIP message
    if received:
        # Nothing came back to the INVITE with credentials (RFC 3261 section 22.2) if all that came
        # is a challenge of the one before.
        last = invites[-1]
        if not any(m.is_challenge for m in received) or any(
            m.number in (-1, last.number) for m in received
        ):
            return None
        invites = [m for m in invites if m.is_of(last)]
    if scene.at_ai or any(leg.direction == "incoming" for leg in scene.legs):
        return None  # the platform routed the call, so its answers were lost
    if (
        max(e.at for e in scene.events) - invites[0].time < AT_ONCE_S
    ):  # 100 comes within 200 ms (section 17.2.1)
        return None
    words = f"{call.leg} sent it {len(invites)}× to {invites[-1].remote} over {invites[-1].transport.upper()}"
    return UNHEARD, words + (
        ", with credentials: the one before was challenged" if received else ""
    )


def _gave_up(scene: Scene) -> bool:
    return any(m.is_request("CANCEL") for m in _sent(scene))


def _sent(scene: Scene) -> list[CallMessage]:
    return [m for m in scene.own if not m.received]


def _invited_at(scene: Scene, call: LegStarted) -> float:
    return min((m.time for m in scene.own if m.is_request("INVITE")), default=call.at)


def _when(scene: Scene, call: LegStarted, moment: float, confirmed: float | None) -> None:
    """When the platform routed the call, from the INVITE or the end of its announcement. The end of
    a menu is not known.
    """
    began, since, line = _invited_at(scene, call), "the INVITE", scene.line
    if line is not None and confirmed is not None and confirmed < moment and scene.platform_answers:
        began, since = confirmed + line.announcement_s, "the announcement"
    after = moment - began
    when = "at once" if after < AT_ONCE_S else "after waiting"
    unknown = when != "at once" and since != "the INVITE" and line is not None and line.press
    scene.record("instead.when", None if unknown else when, f"{after:.2f} s after {since}")
    if scene.value("ai.saw") == "rang":
        # Whether the AI cannot have rung for the agreed ring timeout, of a simulated deployment's
        # two the shorter.
        after = moment - _invited_at(scene, call)
        timings = scene.deployment.timings if scene.deployment else None
        agreed = (
            [t.ring_timeout_s for t in (timings, timings.quick) if t is not None] if timings else []
        )
        early = bool(agreed) and is_too_soon(after, min(agreed))
        words = f"{after:.2f} s after the INVITE, and {min(agreed, default=0):g} s are agreed"
        scene.record("instead.early", early or None, words)


def _whose(scene: Scene, phone: str) -> str:
    fallback = scene.line.fallback if scene.line else None
    if scene.deployment is None or fallback is None:
        return "an agent"
    return (
        "the fallback group"
        if phone in scene.deployment.groups[fallback].agents
        else "another group"
    )


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
    by_night = {*groups[opening.closed].agents} if opening.closed else set[str]()
    day = (to,) if to else (line.group, line.fallback)
    by_day = {agent for name in day if name for agent in groups[name].agents}
    at_ai = scene.value("ai.saw") in ("answered", "another assistant answered", "rang", "refused")
    at_ai = to is None and (at_ai or bool(scene.invites or scene.failed("route.not_reached")))
    if scene.is_out_of_hours:
        scene.record("hours.closed", True, "deployment file")
        words = "the AI was called" if at_ai else f"{', '.join(sorted(rang & by_day))} rang"
        scene.record(
            "hours.treated", "as if open" if at_ai or rang & by_day - by_night else None, words
        )
    elif rang & by_night - by_day and not at_ai:
        scene.record("hours.treated", "as if closed", f"{', '.join(sorted(rang & by_night))} rang")
    elif (
        (opening.closed is None or groups[opening.closed].is_machine)
        and not rang
        and _answered_by_machine(scene, line)
    ):
        scene.record(
            "hours.treated",
            "as if closed",
            "the call was answered, and neither the AI nor an agent was called",
        )


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
    groups = scene.deployment.groups if scene.deployment else {}
    called = [groups[name] for name in (line.group, line.fallback) if name]
    waits = any(group.answers_itself for group in called) or not scene.takers_are_seen
    if scene.failed("voicemail"):  # what answered is not the group's machine
        waits = False
    return waits or scene.value("ai.saw") not in (None, "nothing")


def _answered_by_machine(scene: Scene, line: Line) -> bool:
    """Whether the call was answered though the platform is to answer none itself, and no one else
    was called.
    """
    fallback = (
        scene.deployment.groups[line.fallback] if scene.deployment and line.fallback else None
    )
    unseen = fallback is not None and (fallback.has_machine or not scene.takers_are_seen)
    answered = scene.value("caller.end") == "answered" and not scene.platform_answers
    return answered and scene.value("ai.saw") == "nothing" and not unseen


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
    # A record tells that the AI answered, but not when.
    saw = ("rang", "refused", "answered") if scene.has_stand_in else ("rang", "refused")
    all_seen = (
        scene.value("ai.saw") in saw and scene.vantage.sees("agent") and scene.takers_are_seen
    )
    if all_seen and (called or not scene.has_stand_in):
        what = "which had not answered" if scene.has_stand_in else f"which {scene.value('ai.saw')}"
        scene.record("answered.first", PLATFORM, f"{call.leg} was answered before the AI, {what}")
    elif any(comes_before_the_answer(finding) for finding in scene.findings if finding.failed):
        words = f"{call.leg} was answered, and no phone that was seen had answered"
        scene.record("answered.first", "nobody who was seen", words)


def _has_answered(scene: Scene, legs: set[str | None], by: float) -> bool:
    """Whether one of these legs was answered by then. Its state may be reported only after the
    caller got the 200 that it sent.
    """
    up = [e for e in scene.events.of(CallState) if e.state in ("connecting", "confirmed")]
    if any(e.leg in legs and e.at <= by for e in up):
        return True
    sent = (m for m in scene.messages if m.leg in legs and not m.received and m.time <= by)
    return any(m.accepts("INVITE") for m in sent)
