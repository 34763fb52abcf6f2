"""Facts on what the AI's side saw of the call: the INVITE that came, and what the AI made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.calls.events import TlsHandshake
from harness.calls.verdict import Finding
from harness.deployment import Trunk
from harness.diagnosis import sdp
from harness.diagnosis.audio import in_force, stays_held, tell_beside
from harness.diagnosis.derive import Scene, listed, number_in, same_number, shown
from harness.diagnosis.messages import CHALLENGES, Seen, described, formats, said_by, username_in
from harness.diagnosis.refusals import TERMINATED, about, of_message, one
from harness.sip.grammar import host_of
from harness.sip.message import Request, Response

#: Why an AI that was tried could not be had.
AI_LOST = ("it refused", "it only rang", "its port does not answer", "its certificate is bad")

#: What the AI's side saw where nobody calls it: the case calls from there.
NOT_CALLED = "none: the case calls from its side"
#: How a call was taken that had to be refused.
FROM_OUTSIDE, IN_THE_CLEAR = "from an address that is not allowed", "in the clear"

#: What was offered to a stand-in that no call came to.
NO_CALL_CAME = "none: no call came to the stand-in"

_SUCCESS = range(200, 300)

#: Of an INVITE so many copies may cross its first response, less one.
_COPIES = 2

#: How the AI's record begins with a status: "404 Not Found", "429: …", "Telephony - 403 - …" (docs.synthflow.ai/telephony-errors).
_STATUS = re.compile(r"\s*(?:Telephony\s*-\s*|SIP\s+)?([3-6]\d\d)\b", re.I)


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    facts = scene.facts
    if scene.moment == "access":
        _let_in(scene)
    _who_answered(scene)
    for seen in reversed(scene.invites):
        _of_invite(scene, seen)
    for finding in scene.of("route.request_uri"):
        facts.record("ai.did", _number(scene, str(finding.facts.get("request_user"))), *finding.evidence)
    for finding in scene.of("route.transport"):
        facts.record("ai.transport", "another" if scene.failed(finding) else "the trunk's", *finding.evidence)
    for finding in scene.of("route.trunk"):
        facts.record("ai.trunk", "another" if scene.failed(finding) else "the right one", *finding.evidence)
    for finding in scene.of("route.not_reached"):
        shown = scene.axes.get("certificate")
        facts.record("certificate.taken", (bool(shown) and scene.failed(finding)) or None, f"{shown}: {finding.actual}")
    for event in scene.events:
        if isinstance(event, TlsHandshake) and scene.vantage.role(event.phone) == "ai" and scene.call:
            facts.record("ai.handshake", event.at >= scene.call.at or None, f"from {event.remote}")
    _final_of_the_ai(scene)
    _unheard(scene)
    _lost(scene)
    watched = scene.axes.get("ai") == "stand-in" and scene.vantage.sees("ai")
    if watched and scene.call is not None and scene.call.direction == "outgoing" and not scene.at_ai:
        facts.record("ai.saw", "nothing", "no message came to the stand-in")
    if scene.axes.get("ai") == "stand-in" and facts.value("ai.saw") == "nothing":
        facts.record("ai.offer", NO_CALL_CAME, *facts["ai.saw"].evidence)


def _let_in(scene: Scene) -> None:
    """What was taken that had to be refused: a stranger's call, or one in the clear, from the AI's side or to it."""
    facts = scene.facts
    if scene.call is None:
        facts.record("ai.saw", NOT_CALLED, "the case has no caller")
        for finding in filter(scene.failed, scene.of("final_response", "landing.others")):
            answered = any(state.state == "confirmed" for state in scene.states(finding.subject))
            if answered or finding.facts.get("rang") or finding.facts.get("code") in _SUCCESS:
                facts.record("access.taken", FROM_OUTSIDE, *shown(finding))
    for finding in filter(scene.failed, scene.of("route.not_answered")):
        facts.record("access.taken", IN_THE_CLEAR, *shown(finding))
    for seen in scene.invites:
        answers = (s for s in scene.at_ai if not s.received and s.is_of(seen))
        if seen.transport != "tls" and any(answer.answers("INVITE") in _SUCCESS for answer in answers):
            facts.record("ai.saw", "answered", seen.where)
            facts.record("access.taken", IN_THE_CLEAR, f"over {seen.transport.upper()}", seen.where)


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
        final = _final_answer(scene, seen)
        facts.record("ai.saw", "refused" if final else None, seen.where, *_why(final))
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
        finals = [final for seen in _tries(scene) if (final := _final_answer(scene, seen)) is not None]
        told = _why(finals[-1]) if finals else ()
        facts.record("ai.saw", "refused" if finals else "rang", scene.invites[-1].where, *told)
    elif attempts := [str(item) for item in listed(finding.facts.get("attempted"))]:
        refused = any(item.startswith(("failed", "busy")) for item in attempts)  # what is canceled the platform gave up
        words = [shown for _, shown in _of_records(scene)] if refused else []
        facts.record("ai.saw", "refused" if refused else "rang", *attempts, *words)
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
            given_up = next((s for s in scene.at_ai if s.received and s.is_request("CANCEL")), None)
            if scene.axes.get("ai") == "stand-in":  # its phone sees all that comes there
                where = [given_up.where] if given_up else []
                facts.record("ai.given_up", "while the case went on" if given_up else "never", *where)
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
    facts.record("ai.tls_asked", invite.uri.asked_transport == "tls", seen.where)
    body = invite.body.decode("utf-8", "replace")
    if "m=audio" in body or body.startswith("v="):
        facts.record("ai.offer", sdp.offered(body), seen.where, formats(invite))
    newest = in_force(scene, "audio.to_caller", _described(scene, seen))
    if newest is not None:
        facts.record("sdp.to_ai", sdp.reach(newest.sdp, newest.remote), newest.where)
        tell_beside(scene, newest)
    if seen.describes_audio:
        facts.record("sdp.hold", "the platform" if stays_held(_described(scene, seen)) else None, seen.where)
    for answer in scene.at_ai:
        if not answer.received and answer.answers("INVITE") == 200 and answer.message.call_id == invite.call_id:
            facts.record("sdp.hold", "the AI" if stays_held(_described(scene, answer)) else None, answer.where)
            break  # what comes later was asked for


def _unheard(scene: Scene) -> None:
    """Whether an INVITE came again though answered: its copies end with the first response that arrives (RFC 3261 section 17.1.1.2)."""
    for invite in _tries(scene):
        copies = [s for s in scene.invites if s.is_of(invite)]
        answers = [s for s in scene.at_ai if not s.received and s.answers("INVITE") and s.is_of(invite)]
        order = scene.at_ai.index
        again = [s for s in copies if answers and order(s) > order(answers[0])]
        if len(again) >= _COPIES and invite.transport == "udp":
            told = f"{len(again)} copies of the INVITE came after {answers[0].message.start_line}"
            scene.facts.record("ai.unheard", True, told, again[-1].where)


def _described(scene: Scene, first: Seen) -> list[Seen]:
    return described(first, scene.at_ai[scene.at_ai.index(first) + 1 :])


def _number(scene: Scene, user: str) -> str | None:
    wanted = scene.line[1].assistant if scene.line else None
    if wanted is None or scene.deployment is None or not user:
        return None
    assistants = scene.deployment.assistants
    if user == assistants[wanted].did:
        return "the line's"
    if same_number(user, assistants[wanted].did):
        return "the line's, in another form"
    return "another assistant's" if any(same_number(user, a.did) for a in assistants.values()) else "nobody's"


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
    """The AI's refusal of that INVITE; 487 is none where the platform itself gave the call up (RFC 3261 sections 9.2 and 15.1.2)."""
    asked = invite.message.call_id, invite.message.get("CSeq")
    of_the_call = [s for s in scene.at_ai if s.message.call_id == invite.message.call_id]
    given_up = any(s.received and (s.is_request("CANCEL") or s.is_request("BYE")) for s in of_the_call)
    finals = [
        s
        for s in of_the_call
        if not s.received and (s.message.call_id, s.message.get("CSeq")) == asked
        if s.answers("INVITE") >= 300 and not (given_up and s.answers("INVITE") == TERMINATED)
    ]
    return finals[-1] if finals else None


def _why(final: Seen | None) -> tuple[str, ...]:
    return said_by(final.response_to("INVITE")) if final is not None else ()


def _of_records(scene: Scene) -> Iterator[tuple[str, str]]:
    """What each of the AI's records says of why a call was not taken, and the same for a reader."""
    for record in scene.records:
        said = record.record.get("error_message") or record.record.get("telephony_disconnect_reason")
        if isinstance(said, str) and said.strip():
            yield said, f"{record.source}: {said.strip()}"


def _final_of_the_ai(scene: Scene) -> None:
    facts = scene.facts
    challenge = "none"
    where = ""
    code = 0
    answered = [(invite, _final_answer(scene, invite)) for invite in _tries(scene)]
    for invite, final in ((invite, final) for invite, final in answered if final is not None):
        where = final.where
        code = final.answers("INVITE")
        shown = username_in(invite) is not None
        if code in CHALLENGES and not shown:
            challenge = "not answered"
        elif shown and code in (401, 403, 407):
            challenge = "credentials refused"
        assert isinstance(final.message, Response)
        told = _why(final)
        facts.record("ai.code", None if code in CHALLENGES else code, final.where, *told)
        facts.record("ai.refusal", one(of_message(final.message)), final.where, *told)
    if scene.invites:
        facts.record("ai.challenge", challenge, where)
        facts.record("ai.code", code or None, where)  # a challenge, where nothing else was ever said
    for words, told_by in _of_records(scene):
        facts.record("ai.refusal", one(about(words)), told_by)
        code_said = _STATUS.match(words)
        facts.record("ai.code", int(code_said[1]) if code_said else None, told_by)
