"""Facts on what the AI's side saw of the call: the INVITE that came, and how the AI answered it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.case.events import TlsHandshake
from harness.case.model import CallMessage, described
from harness.case.verdict import Finding
from harness.deployment import Trunk
from harness.diagnosis import sdp
from harness.diagnosis.audio import in_force, record_beside, stays_held
from harness.diagnosis.refusals import TERMINATED, about, of_message, one
from harness.diagnosis.scene import (
    Scene,
    listed,
    number_in,
    offered_audio,
    said_by,
    same_number,
    shown,
    username_in,
)
from harness.sip.grammar import host_of
from harness.sip.message import Request, Response

_IN_THE_CLEAR = "in the clear"
_SUCCESS = range(200, 300)
#: One copy of an INVITE may cross its first response; this many do not.
_COPIES = 2
#: How an AI's record begins with a status: "404 Not Found", "429: …", "Telephony - 403 - …"
#: (docs.synthflow.ai/telephony-errors).
_STATUS = re.compile(r"\s*(?:Telephony\s*-\s*|SIP\s+)?([3-6]\d\d)\b", re.I)


def derive(scene: Scene) -> None:
    """The first value recorded of a fact stands: who answered comes first, then what each INVITE
    shows, the newest first, then what checks of the call's way found.
    """
    if scene.moment == "access":
        _accepted(scene)
    _who_answered(scene)
    for seen in reversed(scene.invites):
        _of_invite(scene, seen)
    _routed(scene)
    _handshakes(scene)
    _final_responses(scene)
    _unheard(scene)
    _lost(scene)
    if scene.has_stand_in:
        _saw_nothing(scene)


def _routed(scene: Scene) -> None:
    """What the checks of the call's way to the AI found."""
    for finding in scene.of("route.request_uri"):
        called = str(finding.facts.get("request_user"))
        scene.record("ai.did", _number(scene, called), *finding.evidence)
    for finding in scene.of("route.transport"):
        transport = "another" if finding.failed else "the trunk's"
        scene.record("ai.transport", transport, *finding.evidence)
    for finding in scene.of("route.trunk"):
        trunk = "another" if finding.failed else "the right one"
        scene.record("ai.trunk", trunk, *finding.evidence)
    certificate = scene.axes.get("certificate")
    if certificate:
        for finding in scene.failed("route.not_reached"):
            scene.record("certificate.taken", True, f"{certificate}: {finding.actual}")


def _handshakes(scene: Scene) -> None:
    """Whether the platform began TLS with a stand-in for the AI after the caller placed its call."""
    if scene.call is None:
        return
    for handshake in scene.reported(TlsHandshake, "ai"):
        if handshake.at >= scene.call.at:
            scene.record("ai.handshake", True, f"from {handshake.remote}")


def _saw_nothing(scene: Scene) -> None:
    """Whether no message came to a stand-in for the AI, though the caller placed a call."""
    called = scene.call is not None and scene.call.direction == "outgoing"
    if called and scene.vantage.sees("ai") and not scene.at_ai:
        scene.record("ai.saw", "nothing", "no message came to the stand-in")
    if scene.value("ai.saw") == "nothing":
        offer = "none: no call came to the stand-in"
        scene.record("ai.offer", offer, *scene.shown_by("ai.saw"))


# -- who answered


def _accepted(scene: Scene) -> None:
    """A call that had to be refused, and was accepted: a stranger's, or one in the clear, from the
    AI's side or to it.
    """
    if scene.call is None:
        scene.record("ai.saw", "none: the case calls from its side", "the case has no caller")
        for finding in scene.failed("final_response", "landing.others"):
            if _was_taken(scene, finding):
                scene.record("access.taken", "from an address that is not allowed", *shown(finding))
    for finding in scene.failed("route.not_answered"):
        scene.record("access.taken", _IN_THE_CLEAR, *shown(finding))
    for seen in scene.invites:
        if seen.transport == "tls":
            continue
        if any(m.is_of(seen) and _accepts(m) for m in scene.sent_by_ai):
            transport = f"over {seen.transport.upper()}"
            scene.record("ai.saw", "answered", seen.where)
            scene.record("access.taken", _IN_THE_CLEAR, transport, seen.where)


def _was_taken(scene: Scene, finding: Finding) -> bool:
    """Whether the platform accepted the call that the finding is about, or rang somebody for it."""
    if scene.state(finding.subject, "confirmed") is not None:
        return True
    facts = finding.facts
    return bool(facts.get("rang")) or facts.get("code") in _SUCCESS


def _accepts(seen: CallMessage) -> bool:
    """Whether it accepts an INVITE."""
    return seen.answers("INVITE") in _SUCCESS


def _who_answered(scene: Scene) -> None:
    """By the check of who answered, else by the records and messages."""
    for finding in scene.of("landing.answered_by"):
        _by_landing(scene, finding)
    for finding in scene.failed("route.tried"):
        if listed(finding.facts.get("reached")):
            scene.record("ai.saw", "another assistant answered", finding.check)
        elif not scene.invites:  # a scenario does not see what the phone's stack refuses
            scene.record("ai.saw", "nothing", finding.check)
    for seen in _attempts(scene):
        final = _refusal(scene, seen)
        if final is not None:
            scene.record("ai.saw", "refused", seen.where, *said_by(final.message))
    if scene.invites and not any(map(_accepts, scene.sent_by_ai)):
        scene.record("ai.saw", "rang", scene.invites[-1].where)


def _by_landing(scene: Scene, finding: Finding) -> None:
    """What the check of who answered the call found. Where it passed, the right assistant did."""
    if not finding.failed:
        scene.record("ai.saw", "answered", finding.check)
        return
    names = map(str, listed(finding.facts.get("answered")))
    answered = [name for name in names if not name.startswith("the phone")]
    others = [name for name in answered if name != finding.facts.get("wanted")]
    known = scene.deployment is None or bool(set(others) & set(scene.deployment.assistants))
    attempts = list(map(str, listed(finding.facts.get("attempted"))))
    if others and known:
        words = f"{', '.join(others)} answered"
        scene.record("ai.saw", "another assistant answered", words)
        scene.record("ai.did", "another assistant's", words)
    elif answered:  # the right one and another party, or the AI for an unknown number
        scene.record("ai.saw", "answered", f"{', '.join(answered)} answered")
    elif scene.invites:
        _by_attempts(scene)
    elif attempts:
        _by_recorded_attempts(scene, attempts)
    elif not finding.facts.get("unseen"):  # without a view, seeing nothing means nothing
        scene.record("ai.saw", "nothing", finding.check)


def _by_attempts(scene: Scene) -> None:
    """What became of the calls that the AI did not answer, by their messages."""
    last = scene.invites[-1].where
    refusals = [_refusal(scene, seen) for seen in _attempts(scene)]
    finals = [final for final in refusals if final is not None]
    if finals:
        scene.record("ai.saw", "refused", last, *said_by(finals[-1].message))
    else:
        scene.record("ai.saw", "rang", last)


def _by_recorded_attempts(scene: Scene, attempts: Sequence[str]) -> None:
    """The same by the AI's records. A call that the platform gave up is recorded as canceled."""
    if any(item.startswith(("failed", "busy")) for item in attempts):
        words = [reported for _, reported in _of_records(scene)]
        scene.record("ai.saw", "refused", *attempts, *words)
    else:
        scene.record("ai.saw", "rang", *attempts)


def _lost(scene: Scene) -> None:
    """Why the AI did not take the call."""
    if scene.line is not None and not scene.line.reachable:
        declared = f"the deployment file says so of {scene.line_name}"
        scene.record("ai.lost", "its port does not answer", declared)
    saw, shown_by = scene.value("ai.saw"), scene.shown_by("ai.saw")
    if saw == "refused":
        scene.record("ai.lost", "it refused", *shown_by)
    elif saw == "rang":
        scene.record("ai.lost", "it only rang", *shown_by)
    if saw == "rang" and scene.has_stand_in:  # its phone sees every CANCEL
        _let_go(scene)
    for probe in ("probe.ai", "probe.termination"):
        if scene.value(probe) in ("silent", "refuses"):
            scene.record("ai.lost", "its port does not answer", *scene.shown_by(probe))
    if scene.value("probe.certificate") in ("expired", "wrong name", "untrusted"):
        scene.record("ai.lost", "its certificate is bad", *scene.shown_by("probe.certificate"))


def _let_go(scene: Scene) -> None:
    """Whether the platform gave up its call to the AI, before the harness hung up."""
    cancels = [m for m in scene.got_by_ai if m.is_request("CANCEL")]
    if cancels:
        scene.record("ai.given_up", "while the case went on", cancels[0].where)
    else:
        scene.record("ai.given_up", "never")


# -- the INVITE that came


def _of_invite(scene: Scene, seen: CallMessage) -> None:
    """What an INVITE that came to the AI shows: the number it is for, the trunk it came over, and
    the media that its SDP describes.
    """
    invite, trunk = seen.message, scene.trunk
    assert isinstance(invite, Request)
    scene.record("ai.did", _number(scene, number_in(str(invite.uri)) or ""), seen.where)
    if trunk is not None:
        scene.record("ai.transport", _transport(scene, trunk, seen), seen.where)
        scene.record("ai.trunk", _trunk(scene, trunk, seen), seen.where)
    scene.record("ai.tls_asked", invite.uri.asked_transport == "tls", seen.where)
    if seen.sdp:
        scene.record("ai.offer", sdp.offered(seen.sdp), seen.where, offered_audio(invite))
    newest = in_force(scene, "audio.to_caller", _described(scene, seen))
    if newest is not None:
        scene.record("sdp.to_ai", sdp.reach(newest.sdp, newest.remote), newest.where)
        record_beside(scene, newest)
    if seen.describes_audio and stays_held(_described(scene, seen)):
        scene.record("sdp.hold", "the platform", seen.where)
    answer = _first_answer(scene, invite)
    if answer is not None and stays_held(_described(scene, answer)):
        scene.record("sdp.hold", "the AI", answer.where)


def _transport(scene: Scene, trunk: Trunk, seen: CallMessage) -> str:
    """Whether the INVITE came by the transport, and to the port, of the trunk or of the one that
    carries the line's calls while it is down.
    """
    port = seen.local.rpartition(":")[2]
    for each in (trunk, *_failover(scene)):
        # A record may not tell the port.
        if seen.transport == each.transport and port in (str(each.port), ""):
            return "the trunk's"
    return "another"


def _first_answer(scene: Scene, invite: Request) -> CallMessage | None:
    """The first 200 to an INVITE of that call. Later ones answer re-INVITEs."""
    for seen in scene.sent_by_ai:
        if seen.answers("INVITE") == 200 and seen.message.call_id == invite.call_id:
            return seen
    return None


def _described(scene: Scene, first: CallMessage) -> list[CallMessage]:
    return described(first, scene.at_ai[scene.at_ai.index(first) + 1 :])


def _unheard(scene: Scene) -> None:
    """Whether an INVITE was repeated after its answer: the first response that arrives ends its
    copies (RFC 3261 section 17.1.1.2).
    """
    for invite in _attempts(scene):
        answers = [m for m in scene.sent_by_ai if m.answers("INVITE") and m.is_of(invite)]
        if not answers or invite.transport != "udp":
            continue
        later = scene.at_ai[scene.at_ai.index(answers[0]) + 1 :]
        again = [m for m in later if m.received and m.begins_dialog and m.is_of(invite)]
        if len(again) >= _COPIES:
            words = f"{len(again)} copies of the INVITE came after {answers[0].message.start_line}"
            scene.record("ai.unheard", True, words, again[-1].where)


def _number(scene: Scene, user: str) -> str | None:
    """Whose number the INVITE is for. Platforms rewrite numbers, so the line's own may come in
    another form.
    """
    wanted = scene.line.ai if scene.line else None
    if wanted is None or scene.deployment is None or not user:
        return None
    assistants = scene.deployment.assistants
    own = assistants[wanted].address
    if user == own:
        return "the line's"
    if same_number(user, own):
        return "the line's, in another form"
    if any(same_number(user, assistant.address) for assistant in assistants.values()):
        return "another assistant's"
    return "nobody's"


def _trunk(scene: Scene, trunk: Trunk, seen: CallMessage) -> str | None:
    """By the address of the SBC that it came from, if each trunk of the deployment has a different
    one.
    """
    assert scene.deployment is not None
    source = host_of(seen.remote)
    hosts = {each.name: each.termination_host for each in scene.deployment.trunks}
    shares_hosts = len(set(hosts.values())) < len(hosts)
    if shares_hosts or source not in hosts.values():
        return None
    right = {hosts[each.name] for each in (trunk, *_failover(scene))}
    return "the right one" if source in right else "another"


def _failover(scene: Scene) -> list[Trunk]:
    """The trunk that carries the line's calls while its own is down."""
    name = scene.line.failover if scene.line else None
    if not name or scene.deployment is None:
        return []
    return [scene.deployment.trunk(name)]


# -- how it was refused


def _attempts(scene: Scene) -> list[CallMessage]:
    """The last INVITE of each call. One that was challenged is sent again."""
    return list({seen.message.call_id: seen for seen in scene.invites}.values())


def _refusal(scene: Scene, invite: CallMessage) -> CallMessage | None:
    """The AI's last refusal of that INVITE, except for 487 if the platform gave the call up (RFC
    3261 sections 9.2 and 15.1.2).
    """
    same = [m for m in scene.got_by_ai if m.message.call_id == invite.message.call_id]
    given_up = any(m.is_request("CANCEL", "BYE") for m in same)
    finals = [m for m in scene.sent_by_ai if m.answers("INVITE") >= 300 and m.is_of(invite)]
    if given_up:
        finals = [m for m in finals if m.status != TERMINATED]
    return finals[-1] if finals else None


def _of_records(scene: Scene) -> list[tuple[str, str]]:
    """What each of the AI's records says of why a call was not taken, and the same for a reader."""
    reported = []
    for record in scene.records:
        content = record.record
        said = content.get("error_message") or content.get("telephony_disconnect_reason")
        if isinstance(said, str) and said.strip():
            reported.append((said, f"{record.source}: {said.strip()}"))
    return reported


def _final_responses(scene: Scene) -> None:
    """What the AI's final responses say. A 401 or 407 is a challenge (RFC 3261 section 22), and a
    refusal only if the credentials that answer it are refused as well.
    """
    challenge, where, code = "none", "", 0
    for invite in _attempts(scene):
        final = _refusal(scene, invite)
        if final is None:
            continue
        where, code = final.where, final.status
        has_credentials = username_in(invite) is not None
        if final.is_challenge and not has_credentials:
            challenge = "not answered"
        elif has_credentials and code in (401, 403, 407):
            challenge = "credentials refused"
        assert isinstance(final.message, Response)
        reported = said_by(final.message)
        if not final.is_challenge:
            scene.record("ai.code", code, where, *reported)
        scene.record("ai.refusal", one(of_message(final.message)), where, *reported)
    if scene.invites:
        scene.record("ai.challenge", challenge, where)
        scene.record("ai.code", code or None, where)  # a challenge, if nothing else was said
    for words, source in _of_records(scene):
        scene.record("ai.refusal", one(about(words)), source)
        status = _STATUS.match(words)
        if status is not None:
            scene.record("ai.code", int(status[1]), source)
