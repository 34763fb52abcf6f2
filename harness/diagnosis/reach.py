"""Facts on whether a call or a registration got where it should, and what stood in its way."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.deployment import Trunk
from harness.diagnosis import sdp
from harness.diagnosis.derive import Scene, answered_request, listed, number_in, same_number
from harness.diagnosis.messages import Seen, formats
from harness.events import FarEndRecord, LegStarted, SipMessage, TransportFailed
from harness.sip.grammar import host_of
from harness.sip.message import Request, Response
from harness.verdict import Finding

#: Sooner than this after the INVITE nobody can have waited for anything.
AT_ONCE_S = 1.0

#: The words of an operating system, not of a SIP server.
_OF_THE_STACK = re.compile(r"connection (was )?(refused|reset|closed)|unreachable|errno|end of file|\(PJ_\w+\)", re.I)
_CHALLENGES = (401, 407)
_WORDS = (
    (re.compile(r"unknown user|no such user|user not found", re.I), "the user name"),
    (re.compile(r"wrong password|bad password|invalid password", re.I), "the password"),
    (re.compile(r"address not allowed|ip not allowed|not in (the )?allow|acl", re.I), "the source address"),
    (re.compile(r"trunk inactive|trunk disabled", re.I), "the trunk"),
    (re.compile(r"concurren|capacity|too many calls", re.I), "concurrency"),
    (re.compile(r"not attached|no assistant|no agent attached", re.I), "the assistant"),
    (re.compile(r"nobody|no agents?\b|logged (in|on|out)", re.I), "the agents"),
    (re.compile(r"tls required|secure transport", re.I), "the transport"),
    (re.compile(r"srtp|savp|encrypt", re.I), "the encryption"),
    (re.compile(r"\bcodec|media format", re.I), "the codec"),
    (re.compile(r"\b(no such|unknown) trunk\b|\btrunk\b.* (not found|does not exist)", re.I), "no such trunk"),
)

#: What a refusal may say that it is about.
ABOUT = tuple(what for _, what in _WORDS)
#: How the caller's call was set up when the platform did not even take it.
UNHEARD = "not at all: nothing came back to the INVITE"
#: And when it could not: no INVITE left the phone.
UNSENT = "not at all: no INVITE left, for want of an address"
#: How it ended where the platform itself had answered, with an announcement or a menu, and then nobody did.
DROPPED = "dropped, after the platform itself had answered"
#: How it ended where the far end closed the connection (TCP, TLS) while the INVITE had nothing but provisional responses.
CUT_OFF = "cut off: its connection was closed before anything final came"
#: Why an AI that was tried could not be had.
AI_LOST = ("it refused", "it only rang", "its port does not answer", "its certificate is bad")


def about(reason: object) -> str | None:
    """What a refusal's own words say it is about; None when they say nothing."""
    return next((what for pattern, what in _WORDS if pattern.search(str(reason or ""))), None)


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    facts = scene.facts
    facts.record("integration", scene.case.get("integration"))
    facts.record("transport", scene.axes.get("transport"))
    facts.record("authentication", scene.axes.get("authentication"))
    _probes(scene)
    _registration(scene)
    _ai_side(scene)
    _lost(scene)
    _instead(scene)
    _final(scene)


def _probes(scene: Scene) -> None:
    if scene.axes.get("ai") == "stand-in":
        scene.facts.record("probe.ai", "ours", "a stand-in of ours listens there")
        scene.facts.record("probe.certificate", "ours", "the stand-in's own")
    elif scene.axes.get("transport") != "tls":
        scene.facts.record("probe.certificate", "none needed", "the trunk is not TLS")
    for event in scene.events:
        if isinstance(event, FarEndRecord) and event.phone == "probe":
            record = event.record
            if record.get("of") == "termination":
                deaf = record.get("reach") == "silent" and _answers_the_caller(scene)  # to OPTIONS alone
                scene.facts.record("probe.termination", "answers" if deaf else record.get("reach"), event.source)
                if record.get("reach") == "refuses" and scene.axes.get("transport") == "udp":
                    scene.facts.record("icmp", "rejected", event.source)
            elif record.get("of") == "ai":
                scene.facts.record("probe.ai", record.get("reach"), event.source)
                scene.facts.record("probe.certificate", record.get("certificate"), event.source)


def _answers_the_caller(scene: Scene) -> bool:
    """Whether the caller's own call got answers from the very port that the AI's side calls."""
    place = scene.trunk.termination if scene.trunk else None, scene.axes.get("transport")
    messages = (e for e in scene.events if isinstance(e, SipMessage) and scene.call and e.leg == scene.call.leg)
    return any(e.direction == "received" and (e.remote, e.transport) == place for e in messages)


# -- registration


def _registration(scene: Scene) -> None:
    facts = scene.facts
    for finding in scene.of("registration", "registration.refused"):
        code = finding.facts.get("code")
        refused = _refused_connection(scene) if code in (0, 408, 503) else ()
        reason = str(finding.facts.get("reason") or "")
        answer: object = code
        if code in (0, 408) or (code == 503 and not reason):
            answer = "none"
        if refused or (code == 503 and _OF_THE_STACK.search(reason)):
            answer = "connection refused"  # RFC 3261 section 8.1.3.1: a transport error counts as 503
        facts.record("registration.answer", answer, *finding.evidence, *refused, finding.actual)
        facts.record("registration.refusal", about(finding.facts.get("reason")), finding.actual)
    for finding in scene.of("timing.within"):
        if finding.facts.get("what") == "the registration is refreshed":
            facts.record("registration.lapsed", scene.failed(finding), finding.actual)
            facts.record("registration.granted", _granted(finding.facts), finding.expected)
    for record in scene.records:
        if "registrations" in record.record:
            facts.record("registration.target", _target(scene, record.record.get("termination_uri")), record.source)
            facts.record("registration.user", _user(scene, record.record.get("username")), record.source)
    if scene.of("registration", "timing.within") and scene.axes.get("ai") == "stand-in":
        facts.record("registration.target", "the Termination URI", "the stand-in was told it by the deployment file")
    _registers(scene)


def _registers(scene: Scene) -> None:
    sent = [s for s in scene.at_ai if not s.received and s.is_request("REGISTER")]
    answers = [s for s in scene.at_ai if s.received and s.answers("REGISTER") >= 200]
    if answers:
        challenged = any(s.answers("REGISTER") in _CHALLENGES for s in answers)
        scene.facts.record("registration.challenged", challenged, answers[0].where)
    for seen in sent:
        scene.facts.record("registration.user", _user(scene, _username(seen)), seen.where)


def _refused_connection(scene: Scene) -> tuple[str, ...]:
    return tuple(
        f"{event.phone}: {event.reason} ({event.transport} to {event.remote})"
        for event in scene.events
        if isinstance(event, TransportFailed) and _OF_THE_STACK.search(event.reason)
    )


def _granted(facts: Mapping[str, object]) -> str | None:
    granted, asked = facts.get("granted_s"), facts.get("asked_s")
    if not isinstance(granted, int | float) or not isinstance(asked, int | float) or not granted:
        return None
    return "shorter" if granted < asked else "as asked"


def _target(scene: Scene, target: object) -> str | None:
    if not isinstance(target, str) or scene.trunk is None or scene.trunk.termination is None:
        return None
    return "the Termination URI" if scene.trunk.is_termination(target) else "another host"


def _user(scene: Scene, username: object) -> str | None:
    expected = scene.trunk.username if scene.trunk else None
    if not isinstance(username, str) or expected is None:
        return None
    return "the trunk's" if username == expected else "another"


def _username(seen: Seen) -> str | None:
    value = seen.message.get("Authorization") or seen.message.get("Proxy-Authorization") or ""
    found = re.search(r'username="([^"]*)"', value)
    return found[1] if found else None


# -- the AI's side


def _ai_side(scene: Scene) -> None:
    facts = scene.facts
    _who_answered(scene)
    for seen in reversed(scene.invites):
        _of_invite(scene, seen)
    for finding in scene.of("route.request_uri"):
        facts.record("ai.did", _number(scene, str(finding.facts.get("request_user"))), *finding.evidence)
    for finding in scene.of("route.transport"):
        facts.record("ai.transport", "another" if scene.failed(finding) else "the trunk's", *finding.evidence)
    for finding in scene.of("route.trunk"):
        facts.record("ai.trunk", "another" if scene.failed(finding) else "the right one", *finding.evidence)
    _final_of_the_ai(scene)


def _who_answered(scene: Scene) -> None:
    """From what the landing check found, else from the records and messages themselves."""
    facts = scene.facts
    for finding in scene.of("landing.answered_by"):
        _by_landing(scene, finding)
    for finding in scene.of("route.tried"):
        if scene.failed(finding):
            reached = listed(finding.facts.get("reached"))
            nothing = None if scene.invites else "nothing"  # what a stack refuses by itself no scenario gets to see
            facts.record("ai.saw", "another assistant answered" if reached else nothing, finding.check)
    for seen in _tries(scene):  # where no check asked who answered
        facts.record("ai.saw", "refused" if _final_answer(scene, seen) else None, seen.where)
    ours = (s.response_to("INVITE") for s in scene.at_ai if not s.received)
    if scene.invites and not any(response is not None and response.is_success for response in ours):
        facts.record("ai.saw", "rang", scene.invites[-1].where)


def _by_landing(scene: Scene, finding: Finding) -> None:
    facts = scene.facts
    if not scene.failed(finding):
        facts.record("ai.saw", "answered", finding.check)
        return
    answered = [str(name) for name in listed(finding.facts.get("answered")) if not str(name).startswith("the phone")]
    others = [name for name in answered if name != finding.facts.get("wanted")]
    if others and not (scene.deployment is None or set(others) & set(scene.deployment.assistants)):
        facts.record("ai.saw", "answered", f"{', '.join(answered)} answered")  # the AI, for a number of nobody's
    elif others:
        facts.record("ai.saw", "another assistant answered", f"{', '.join(others)} answered")
        facts.record("ai.did", "another assistant's", f"{', '.join(others)} answered")
    elif answered:  # the right one, and somebody else as well
        facts.record("ai.saw", "answered", f"{', '.join(answered)} answered")
    elif scene.invites:
        refused = any(_final_answer(scene, seen) for seen in _tries(scene))
        facts.record("ai.saw", "refused" if refused else "rang", scene.invites[-1].where)
    elif attempts := [str(item) for item in listed(finding.facts.get("attempted"))]:
        refused = any(item.startswith(("failed", "busy", "canceled")) for item in attempts)
        facts.record("ai.saw", "refused" if refused else "rang", *attempts)
    elif not finding.facts.get("unseen"):  # where nobody could look, that nothing was seen says nothing
        facts.record("ai.saw", "nothing", finding.check)


def _lost(scene: Scene) -> None:
    facts = scene.facts
    if scene.line is not None and not scene.line[1].reachable:
        facts.record("ai.lost", "its port does not answer", f"the deployment file says so of {scene.line[0]}")
    match facts.value("ai.saw"):
        case "refused":
            facts.record("ai.lost", "it refused", *facts["ai.saw"].evidence)
        case "rang":
            facts.record("ai.lost", "it only rang", *facts["ai.saw"].evidence)
    for probe in ("probe.ai", "probe.termination"):
        if facts.value(probe) in ("silent", "refuses"):
            facts.record("ai.lost", "its port does not answer", *facts[probe].evidence)
    if facts.value("probe.certificate") in ("expired", "wrong name", "untrusted"):
        facts.record("ai.lost", "its certificate is bad", *facts["probe.certificate"].evidence)


def _of_invite(scene: Scene, seen: Seen) -> None:
    facts, invite, trunk = scene.facts, seen.message, scene.trunk
    assert isinstance(invite, Request)
    facts.record("ai.did", _number(scene, number_in(str(invite.uri)) or ""), seen.where)
    if trunk is not None:
        port = seen.local.rpartition(":")[2]
        right = seen.transport == trunk.transport and port in (str(trunk.port), "")
        facts.record("ai.transport", "the trunk's" if right else "another", seen.where)
        facts.record("ai.trunk", _trunk(scene, trunk, seen), seen.where)
    facts.record("ai.tls_asked", invite.uri.params.get("transport") == "tls", seen.where)
    body = invite.body.decode("utf-8", "replace")
    if "m=audio" in body:
        facts.record("ai.offer", sdp.offered(body), seen.where, formats(invite))
        facts.record("sdp.to_ai", sdp.reach(body, seen.remote), seen.where)
        facts.record("sdp.hold", "the platform" if sdp.holds(body) else None, seen.where)
    for answer in scene.at_ai:
        if not answer.received and answer.answers("INVITE") == 200 and answer.message.call_id == invite.call_id:
            said = answer.message.body.decode("utf-8", "replace")
            facts.record("sdp.hold", "the AI" if sdp.holds(said) else None, answer.where)
            break  # what comes later was asked for


def _number(scene: Scene, user: str) -> str | None:
    wanted = scene.line[1].assistant if scene.line else None
    if wanted is None or scene.deployment is None or not user:
        return None
    assistants = scene.deployment.assistants
    if user == assistants[wanted].did:
        return "the line's"
    if same_number(user, assistants[wanted].did):
        return "the line's, in another form"
    return "another assistant's" if user in {a.did for a in assistants.values()} else "nobody's"


def _trunk(scene: Scene, trunk: Trunk, seen: Seen) -> str | None:
    """By the address of the SBC it came from, where each trunk of the deployment has one of its own."""
    assert scene.deployment is not None
    source = host_of(seen.remote)
    hosts = {t.name: t.termination_host for t in scene.deployment.trunks}
    if len(set(hosts.values())) < len(hosts) or source not in hosts.values():
        return None
    return "the right one" if hosts[trunk.name] == source else "another"


def _tries(scene: Scene) -> list[Seen]:
    """The last INVITE of each call: one that was challenged is sent again."""
    return list({seen.message.call_id: seen for seen in scene.invites}.values())


def _final_answer(scene: Scene, invite: Seen) -> Seen | None:
    asked = invite.message.call_id, invite.message.get("CSeq")
    finals = [
        s
        for s in scene.at_ai
        if not s.received and (s.message.call_id, s.message.get("CSeq")) == asked
        if s.answers("INVITE") >= 300 and s.answers("INVITE") != 487
    ]
    return finals[-1] if finals else None


def _final_of_the_ai(scene: Scene) -> None:
    facts = scene.facts
    challenge = "none"
    where = ""
    code = 0
    answered = [(invite, _final_answer(scene, invite)) for invite in _tries(scene)]
    for invite, final in ((invite, final) for invite, final in answered if final is not None):
        where = final.where
        code = final.answers("INVITE")
        shown = _username(invite) is not None
        if code in _CHALLENGES and not shown:
            challenge = "not answered"
        elif shown and code in (401, 403, 407):
            challenge = "credentials refused"
        facts.record("ai.code", None if code in _CHALLENGES else code, final.where)
        assert isinstance(final.message, Response)
        facts.record("ai.refusal", about(final.message.reason), final.where)
    if scene.invites:
        facts.record("ai.challenge", challenge, where)
        facts.record("ai.code", code or None, where)  # a challenge, where nothing else was ever said
    for record in scene.records:
        said = record.record.get("error_message") or record.record.get("telephony_disconnect_reason")
        facts.record("ai.refusal", about(said), record.source)
        code_said = re.match(r"\s*[3-6]\d\d\b", str(record.record.get("error_message") or ""))
        facts.record("ai.code", int(code_said.group()) if code_said else None, record.source)


# -- who rang instead, and what the caller was told


def _instead(scene: Scene) -> None:
    facts, line = scene.facts, scene.line
    if line is not None:
        facts.record("fallback.configured", line[1].fallback is not None, "deployment file")
    call = scene.call
    if call is None:
        return
    states = scene.states(call.leg)
    confirmed = next((s for s in states if s.state == "confirmed"), None)
    ended = next((s for s in states if s.state == "disconnected"), None)
    final = next((s for s in states if s.state == "disconnected" and s.code >= 300), None)
    if final is not None and final.code == 487 and _gave_up(scene, call):
        final = ended = None  # the harness itself hung up on a call that nobody answered
    unheard = _unheard(scene, call)
    taken = facts.value("ai.saw") in ("answered", "another assistant answered")
    if confirmed and ended and not taken and answers_itself(scene) and _hung_up_on(scene, call):
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
        facts.record("caller.end", "refused", f"{call.leg} ended with {final.code} {final.reason}".rstrip())
        facts.record("final.code", final.code, f"{call.leg}: {final.code} {final.reason}".rstrip())
        same = facts.value("ai.code") == final.code
        facts.record("final.passed_on", same or None, f"{call.leg}: {final.code}, as the AI said")
        lost = "the connection" if _OF_THE_STACK.search(final.reason) else None
        facts.record("final.refusal", about(final.reason) or lost, f"{call.leg}: {final.reason}")
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


def _unheard(scene: Scene, call: LegStarted) -> tuple[str, str] | None:
    """That an INVITE went out to which nothing at all came back, or none could; None where something did, or nobody waited."""
    messages = [e for e in scene.events if isinstance(e, SipMessage) and e.leg == call.leg]
    invites = _sent(scene, call, "INVITE")
    if not invites and (name := scene.facts.get("name.caller")) is not None:
        return UNSENT, name.evidence[0]
    if call.direction != "outgoing" or not invites or any(e.direction == "received" for e in messages):
        return None
    if scene.at_ai or any(isinstance(e, LegStarted) and e.direction == "incoming" for e in scene.events):
        return None  # it went on with the call, so that its answers got lost
    waited = max(e.at for e in scene.events) - invites[0].at
    if waited < AT_ONCE_S:  # a server says 100 within 200 ms (RFC 3261 section 17.2.1)
        return None
    return UNHEARD, f"{call.leg} sent it {len(invites)}× to {invites[-1].remote} over {invites[-1].transport.upper()}"


def _sent(scene: Scene, call: LegStarted, method: str) -> list[SipMessage]:
    sent = (e for e in scene.events if isinstance(e, SipMessage) and e.leg == call.leg and e.direction == "sent")
    return [e for e in sent if e.text.startswith(f"{method} ")]


def answers_itself(scene: Scene) -> bool:
    """Whether the platform answers the number's calls before anybody else does, with an announcement or a menu."""
    return scene.line is not None and bool(scene.line[1].announcement_s or scene.line[1].press)


def _hung_up_on(scene: Scene, call: LegStarted) -> bool:
    """Whether the first BYE is the platform's."""
    byes = (e for e in scene.events if isinstance(e, SipMessage) and e.leg == call.leg and e.text.startswith("BYE "))
    return next((e.direction == "received" for e in byes), False)


def _gave_up(scene: Scene, call: LegStarted) -> bool:
    return bool(_sent(scene, call, "CANCEL"))


def _invited_at(scene: Scene, call: LegStarted) -> float:
    messages = (e for e in scene.events if isinstance(e, SipMessage) and e.leg == call.leg)
    return min((e.at for e in messages if e.text.startswith("INVITE ")), default=call.at)


def _whose(scene: Scene, phone: str) -> str:
    fallback = scene.line[1].fallback if scene.line else None
    if scene.deployment is None or fallback is None:
        return "an agent"
    return "the fallback group" if phone in scene.deployment.groups[fallback].agents else "another group"


def _final(scene: Scene) -> None:
    for finding in scene.of("final_response"):
        if answered_request(finding) == "INVITE":
            scene.facts.record("final.code", finding.facts.get("code"), *finding.evidence)
