"""Facts on how the caller's call ended, and who rang in the AI's place."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls.checks.timing import is_too_soon
from harness.calls.events import CallState, LegStarted, SipMessage
from harness.diagnosis.derive import Scene, answered_request
from harness.diagnosis.messages import CHALLENGES, parse, response_to
from harness.diagnosis.refusals import OF_THE_STACK, TERMINATED, about, of_hangup, of_message
from harness.sip import why
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Response

#: Sooner than this after the INVITE nobody can have waited for anything.
AT_ONCE_S = 1.0
#: How the caller's call was set up when the platform did not even take it.
UNHEARD = "not at all: nothing came back to the INVITE"
#: And when it could not: no INVITE left the phone.
UNSENT = "not at all: no INVITE left, for want of an address"
#: How it ended where the platform itself had answered, with an announcement or a menu, and then nobody did.
DROPPED = "dropped, after the platform itself had answered"
#: How it ended where the far end closed the connection (TCP, TLS) while the INVITE had nothing but provisional responses.
CUT_OFF = "cut off: its connection was closed before anything final came"


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    if scene.withheld:
        scene.facts.record("caller.withheld", True, "the caller's INVITE asks for privacy (RFC 3323)")
    _instead(scene)
    _final(scene)


def _instead(scene: Scene) -> None:
    facts, line = scene.facts, scene.line
    if line is not None:
        facts.record("fallback.configured", line[1].fallback is not None, "deployment file")
        facts.record("fallback.unseen", None if takers_are_seen(scene) else True, "deployment file")
    call = scene.call
    if call is None:
        return
    states = scene.states(call.leg)
    confirmed = next((s for s in states if s.state == "confirmed"), None)
    ended = next((s for s in states if s.state == "disconnected"), None)
    final = next((s for s in states if s.state == "disconnected" and s.code >= 300), None)
    if final is not None and final.code == TERMINATED and _gave_up(scene, call):
        final = ended = None  # the harness itself hung up on a call that nobody answered
    unheard = _unheard(scene, call)
    taken = facts.value("ai.saw") in ("answered", "another assistant answered")
    hung_up_on = confirmed and ended and not taken and _hung_up_on(scene, call)
    if hung_up_on:
        _told_by_bye(scene, call)
    if hung_up_on and answers_itself(scene):
        facts.record("caller.end", DROPPED, f"{call.leg} confirmed, and ended by the platform")
    elif confirmed is not None:
        facts.record("caller.end", "answered", f"{call.leg} confirmed")
    elif facts.value("caller.answer") is not None:  # a 200 came: what became of it then is not the far end's refusal
        facts.record("caller.end", "answered", *facts["caller.answer"].evidence)
    elif unheard:
        facts.record("caller.end", *unheard)
        final = None  # 408 and 503 of its own stack's making (RFC 3261 section 8.1.3.1)
    elif final is not None and (closed := facts.get("connection.caller")) is not None:
        facts.record("caller.end", CUT_OFF, *closed.evidence)
        final = None  # the 503 is its own stack's
    elif final is not None:
        _refused(scene, call, final)
    elif ended is None:
        facts.record("caller.end", "still ringing", f"{call.leg} was never answered")
    moment = final.at if final and not confirmed else None
    if scene.vantage.sees("agent") and call.direction == "outgoing":
        rang = sorted(
            (e for e in scene.events if isinstance(e, LegStarted) and scene.vantage.role(e.phone) == "agent"),
            key=lambda e: e.at,
        )
        facts.record(
            "instead", _whose(scene, rang[0].phone) if rang else "nobody", *(f"{e.leg} rang" for e in rang[:2])
        )
        moment = rang[0].at if rang else moment
    elif confirmed is not None and confirmed.at - _invited_at(scene, call) < AT_ONCE_S:
        moment = confirmed.at  # later, it may have been the agent who took a while
    _when(scene, call, moment, confirmed.at if confirmed else None)


def _refused(scene: Scene, call: LegStarted, final: CallState) -> None:
    facts = scene.facts
    answer = _final_answer(scene, call, final.code)
    told = why.told(answer)
    facts.record("caller.end", "refused", f"{call.leg} ended with {final.code} {final.reason}".rstrip(), *told)
    facts.record("final.code", final.code, f"{call.leg}: {final.code} {final.reason}".rstrip(), *told)
    same = facts.value("ai.code") == final.code
    facts.record("final.passed_on", same or None, f"{call.leg}: {final.code}, as the AI said")
    lost = "the connection" if OF_THE_STACK.search(final.reason) else None
    said = about(final.reason) if answer is None else of_message(answer)
    facts.record("final.refusal", said or lost, f"{call.leg}: {final.reason}", *told)


def _told_by_bye(scene: Scene, call: LegStarted) -> None:
    """A platform that had answered by itself can refuse by BYE alone, and says in its Reason what for."""
    for event in scene.messages(call.leg):
        if event.direction == "received" and event.text.startswith("BYE ") and (bye := parse(event.text)) is not None:
            scene.facts.record("final.refusal", of_hangup(bye), scene.number_of(event), *why.told(bye))


def _final_answer(scene: Scene, call: LegStarted, code: int) -> Response | None:
    """The last response to the caller's INVITE with that code, as far as it was recorded and can be read."""
    received = (parse(e.text) for e in scene.messages(call.leg) if e.direction == "received")
    answers = [found for m in received if m is not None and (found := response_to(m, "INVITE")) is not None]
    return next((answer for answer in reversed(answers) if answer.status == code), None)


def _when(scene: Scene, call: LegStarted, moment: float | None, confirmed: float | None) -> None:
    """From when the platform began to route the call: behind its own announcement. When a menu ended nobody can tell."""
    if moment is None:
        return
    began, since, line = _invited_at(scene, call), "the INVITE", scene.line
    if line is not None and confirmed is not None and confirmed < moment and answers_itself(scene):
        began, since = confirmed + line[1].announcement_s, "the announcement"
    after = moment - began
    when = "at once" if after < AT_ONCE_S else "after waiting"
    unknown = when != "at once" and since != "the INVITE" and line is not None and line[1].press
    scene.facts.record("instead.when", None if unknown else when, f"{after:.2f} s after {since}")
    if scene.facts.value("ai.saw") == "rang":
        _early(scene, moment - _invited_at(scene, call))


def _early(scene: Scene, after: float) -> None:
    """Whether the AI cannot have rung for the ring timeout that is agreed on: of a simulated deployment's two the shorter."""
    timings = scene.deployment.timings if scene.deployment else None
    agreed = [t.ring_timeout_s for t in (timings, timings.quick) if t is not None] if timings else []
    early = bool(agreed) and is_too_soon(after, min(agreed))
    told = f"{after:.2f} s after the INVITE, and {min(agreed, default=0):g} s are agreed"
    scene.facts.record("instead.early", early or None, told)


def _unheard(scene: Scene, call: LegStarted) -> tuple[str, str] | None:
    """That an INVITE went out to which nothing at all came back, or none could; None where something did, or nobody waited."""
    messages = scene.messages(call.leg)
    invites = _sent(scene, call, "INVITE")
    if not invites and (name := scene.facts.get("name.caller")) is not None:
        return UNSENT, name.evidence[0]
    if call.direction != "outgoing" or not invites:
        return None
    challenged = any(e.direction == "received" for e in messages)
    if challenged and not (again := _unanswered(messages, invites)):
        return None
    invites = again if challenged else invites
    if scene.at_ai or any(isinstance(e, LegStarted) and e.direction == "incoming" for e in scene.events):
        return None  # it went on with the call, so that its answers got lost
    waited = max(e.at for e in scene.events) - invites[0].at
    if waited < AT_ONCE_S:  # a server says 100 within 200 ms (RFC 3261 section 17.2.1)
        return None
    told = f"{call.leg} sent it {len(invites)}× to {invites[-1].remote} over {invites[-1].transport.upper()}"
    return UNHEARD, told + (", with credentials: the one before was challenged" if challenged else "")


def _unanswered(messages: Sequence[SipMessage], invites: Sequence[SipMessage]) -> list[SipMessage]:
    """The last INVITE and its copies, where all that came back is a challenge to the one before (RFC 3261 section 22.2)."""
    last = _transaction(invites[-1])
    received = [(parse(e.text), _transaction(e)) for e in messages if e.direction == "received"]
    challenges = [m for m, _ in received if isinstance(m, Response) and m.status in CHALLENGES]
    if last is None or not challenges or any(of in (None, last) for _, of in received):
        return []
    return [e for e in invites if _transaction(e) == last]


def _transaction(event: SipMessage) -> tuple[str, int] | None:
    """Call-ID and CSeq number; None where they cannot be read."""
    message = parse(event.text)
    try:
        return None if message is None else (message.call_id, message.cseq.number)
    except SipSyntaxError:
        return None


def _sent(scene: Scene, call: LegStarted, method: str) -> list[SipMessage]:
    sent = (e for e in scene.messages(call.leg) if e.direction == "sent")
    return [e for e in sent if e.text.startswith(f"{method} ")]


def answers_itself(scene: Scene) -> bool:
    """Whether the platform answers the number's calls before anybody else does, with an announcement or a menu."""
    return scene.line is not None and bool(scene.line[1].announcement_s or scene.line[1].press)


def _hung_up_on(scene: Scene, call: LegStarted) -> bool:
    """Whether the first BYE is the platform's."""
    byes = (e for e in scene.messages(call.leg) if e.text.startswith("BYE "))
    return next((e.direction == "received" for e in byes), False)


def _gave_up(scene: Scene, call: LegStarted) -> bool:
    return bool(_sent(scene, call, "CANCEL"))


def _invited_at(scene: Scene, call: LegStarted) -> float:
    return min((e.at for e in scene.messages(call.leg) if e.text.startswith("INVITE ")), default=call.at)


def takers_are_seen(scene: Scene) -> bool:
    """Whether those who are to take over for the AI have harness phones; where there is nobody to, nobody has to be seen."""
    fallback = scene.line[1].fallback if scene.line else None
    return fallback is None or scene.deployment is None or bool(scene.deployment.groups[fallback].agents)


def _whose(scene: Scene, phone: str) -> str:
    fallback = scene.line[1].fallback if scene.line else None
    if scene.deployment is None or fallback is None:
        return "an agent"
    return "the fallback group" if phone in scene.deployment.groups[fallback].agents else "another group"


def _final(scene: Scene) -> None:
    for finding in scene.of("final_response"):
        if answered_request(finding) == "INVITE":
            scene.facts.record("final.code", finding.facts.get("code"), *finding.evidence)
        elif answered_request(finding) == "OPTIONS" and scene.failed(finding):
            scene.facts.record("options.answer", "refused" if finding.facts.get("code") else "none", finding.actual)
