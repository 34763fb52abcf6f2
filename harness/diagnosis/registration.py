"""Facts on the registration of the AI's phone: what was asked, as whom, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.calls.events import TransportFailed
from harness.deployment import is_address
from harness.diagnosis.derive import Scene
from harness.diagnosis.messages import CHALLENGES, Seen, username_in
from harness.diagnosis.refusals import OF_THE_STACK, TIMED_OUT, about, of_message
from harness.sip import why
from harness.sip.grammar import host_of
from harness.sip.message import Response

#: What became of a REGISTER that no server answered; the last is a bare 503 of which nobody saw the messages.
NONE, REFUSED, UNCLEAR = "none", "connection refused", "503 or none"
#: A challenge behind which no REGISTER with credentials came.
NEVER_ANSWERED = "never answered"
#: A digest that is right but for its nonce (RFC 7616 section 3.3).
_STALE = re.compile(r"\bstale\s*=\s*\"?true\b", re.I)
_WRITTEN_AS_URI = re.compile(r"^<?(sips?:)?([^;>]*)", re.I)


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    facts = scene.facts
    for finding in scene.of("registration", "registration.refused"):
        code, reason = finding.facts.get("code"), str(finding.facts.get("reason") or "")
        refused = _refused_connection(scene)
        response = _last_answer(scene, code)
        answer = _answer(scene, code, reason, response, bool(refused))
        refused = refused if answer == REFUSED else ()
        told = why.told(response)
        facts.record("registration.answer", answer, *finding.evidence, *refused, finding.actual, *told)
        said = about(reason) if response is None else of_message(response)
        facts.record("registration.refusal", said, finding.actual, *told)
        taken = finding.check == "registration.refused" and scene.failed(finding) and code == 200
        facts.record("registration.taken", taken or None, finding.actual)
        facts.record("registration.retry", (response is not None and bool(why.retry_after(response))) or None, *told)
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


def _answer(scene: Scene, code: object, reason: str, response: Response | None, refused: bool) -> object:
    """The status that came, or what kept one from coming: a stack calls a timeout 408, and a transport error 503 (RFC 3261
    section 8.1.3.1). A 503 without a word may be either, where nobody saw the messages.
    """
    if code not in (0, 408, 503) or response is not None:
        return code
    if code == 503 and TIMED_OUT.search(reason):
        return NONE
    if refused or (code == 503 and OF_THE_STACK.search(reason)):
        return REFUSED
    if code != 503 or _is_seen(scene):
        return NONE
    return code if reason else UNCLEAR


def _last_answer(scene: Scene, code: object) -> Response | None:
    """The last response with that code to a REGISTER, where its messages were seen."""
    answers = [seen.response_to("REGISTER") for seen in scene.at_ai if seen.received]
    return next((answer for answer in reversed(answers) if answer is not None and answer.status == code), None)


def _is_seen(scene: Scene) -> bool:
    """Whether somebody has seen the REGISTER's messages: then a status that is not among them came from nobody."""
    return scene.axes.get("ai") == "stand-in" or any(
        seen.is_request("REGISTER") or (seen.received and seen.answers("REGISTER")) for seen in scene.at_ai
    )


def _registers(scene: Scene) -> None:
    sent = [s for s in scene.at_ai if not s.received and s.is_request("REGISTER")]
    answers = [s for s in scene.at_ai if s.received and s.answers("REGISTER") >= 200]
    if answers:
        scene.facts.record("registration.challenged", _challenged(sent, answers), answers[0].where)
        last = answers[-1]
        challenges = (last.message.get(name) or "" for name in ("WWW-Authenticate", "Proxy-Authenticate"))
        stale = last.answers("REGISTER") in CHALLENGES and any(map(_STALE.search, challenges))
        scene.facts.record("registration.stale", stale or None, last.where)
    stranger = scene.deployment.stand_in.stranger_bind if scene.deployment else None
    outside = [seen for seen in sent if stranger is not None and host_of(seen.local) == stranger]
    scene.facts.record("registration.outside", bool(outside) or None, *(f"from {seen.local}" for seen in outside[:1]))
    for seen in sent:
        scene.facts.record("registration.user", _user(scene, username_in(seen)), seen.where)


def _challenged(sent: Sequence[Seen], answers: Sequence[Seen]) -> object:
    challenged = any(s.answers("REGISTER") in CHALLENGES for s in answers)
    unanswered = challenged and bool(sent) and not any(map(username_in, sent))
    return NEVER_ANSWERED if unanswered else challenged


def _refused_connection(scene: Scene) -> tuple[str, ...]:
    return tuple(
        f"{event.phone}: {event.reason} ({event.transport} to {event.remote})"
        for event in scene.events
        if isinstance(event, TransportFailed)
        and OF_THE_STACK.search(event.reason)
        and not TIMED_OUT.search(event.reason)
    )


def _granted(facts: Mapping[str, object]) -> str | None:
    granted, asked = facts.get("granted_s"), facts.get("asked_s")
    if not isinstance(granted, int | float) or not isinstance(asked, int | float) or not granted:
        return None
    return "shorter" if granted < asked else "as asked"


def _target(scene: Scene, target: object) -> str | None:
    """None where one of the two is a name and the other an address, which may be one host's."""
    if not isinstance(target, str) or scene.trunk is None or scene.trunk.termination is None:
        return None
    written = _WRITTEN_AS_URI.match(target.strip())
    place = written[2].lower() if written else target
    if scene.trunk.is_termination(place):
        return "the Termination URI"
    return "another host" if is_address(host_of(place)) is is_address(str(scene.trunk.termination_host)) else None


def _user(scene: Scene, username: object) -> str | None:
    expected = scene.trunk.username if scene.trunk else None
    if not isinstance(username, str) or expected is None:
        return None
    return "the trunk's" if username == expected else "another"
