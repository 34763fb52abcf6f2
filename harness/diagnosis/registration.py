"""Facts on the registration of the AI's phone: what was sent, by which user, and the outcome."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.case.events import TransportFailed
from harness.case.model import CallMessage
from harness.case.verdict import Finding
from harness.deployment import is_address
from harness.diagnosis.refusals import OF_THE_STACK, TIMED_OUT, about, of_message
from harness.diagnosis.scene import Scene, username_in
from harness.sip import why
from harness.sip.grammar import host_of
from harness.sip.message import Response

_REFRESHED = "the registration is refreshed"


def derive(scene: Scene) -> None:
    sent = [m for m in scene.sent_by_ai if m.is_request("REGISTER")]
    answers = [m for m in scene.got_by_ai if m.answers("REGISTER")]
    messages_seen = scene.has_stand_in or bool(sent or answers)
    for finding in scene.of("registration", "registration.refused"):
        _answered(scene, finding, answers, messages_seen=messages_seen)
    for finding in scene.of("timing.within"):
        if finding.facts.get("what") == _REFRESHED:
            _refreshed(scene, finding)
    _configured(scene)
    _registers(scene, sent, [m for m in answers if m.is_final])


def _refreshed(scene: Scene, finding: Finding) -> None:
    """Whether the registration lapsed, and for how long the registrar granted it."""
    granted, asked = finding.facts.get("granted_s"), finding.facts.get("asked_s")
    scene.record("registration.lapsed", finding.failed, finding.actual)
    if granted and asked:
        lifetime = "shorter" if granted < asked else "as asked"
        scene.record("registration.granted", lifetime, finding.expected)


def _configured(scene: Scene) -> None:
    """Where the AI's phone is to register, and as whom."""
    for record in scene.records:
        if "registrations" in record.record:
            target = _target(scene, record.record.get("termination_uri"))
            scene.record("registration.target", target, record.source)
            user = _user(scene, record.record.get("username"))
            scene.record("registration.user", user, record.source)
    if scene.of("registration", "timing.within") and scene.has_stand_in:
        words = "the stand-in was told it by the deployment file"
        scene.record("registration.target", "the Termination URI", words)


def _answered(
    scene: Scene, finding: Finding, answers: Sequence[CallMessage], *, messages_seen: bool
) -> None:
    """How a REGISTER was answered, and why it was refused. A status whose message was not seen may
    be the phone's own.
    """
    code, reason = finding.facts.get("code"), str(finding.facts.get("reason") or "")
    same = [m.message for m in answers if m.status == code]
    response = same[-1] if same else None
    refused = _refused_connections(scene)
    answer: object = code
    # A stack reports a timeout as 408, and a transport error as 503 (RFC 3261 section 8.1.3.1).
    if response is None and code in (0, 408):
        answer = "connection refused" if refused else "none"
    elif response is None and code == 503:
        answer = _of_503(reason, messages_seen=messages_seen, is_refused=bool(refused)) or code
    reported = why.stated(response)
    shown_by = list(finding.evidence)
    if answer == "connection refused":
        shown_by += refused
    scene.record("registration.answer", answer, *shown_by, finding.actual, *reported)
    said = of_message(response) if isinstance(response, Response) else about(reason)
    scene.record("registration.refusal", said, finding.actual, *reported)
    if finding.check == "registration.refused" and finding.failed and code == 200:
        scene.record("registration.taken", True, finding.actual)


def _refused_connections(scene: Scene) -> list[str]:
    """The connections that failed, except for those that were never answered."""
    refused = []
    for event in scene.events.of(TransportFailed):
        if OF_THE_STACK.search(event.reason) and not TIMED_OUT.search(event.reason):
            words = f"{event.phone}: {event.reason} ({event.transport} to {event.remote})"
            refused.append(words)
    return refused


def _of_503(reason: str, *, messages_seen: bool, is_refused: bool) -> str | None:
    """What a 503 stands for whose message was not seen; None if a server may have sent it."""
    if TIMED_OUT.search(reason):
        return "none"
    if is_refused or OF_THE_STACK.search(reason):
        return "connection refused"
    if messages_seen:
        return "none"
    return None if reason else "503 or none"


def _registers(scene: Scene, sent: Sequence[CallMessage], answers: Sequence[CallMessage]) -> None:
    """What the REGISTERs show: whether a challenge was answered (RFC 3261 section 22.2), from which
    address they came, and as which user.
    """
    if answers:
        challenged = any(m.is_challenge for m in answers)
        unanswered = challenged and bool(sent) and not any(map(username_in, sent))
        value = "never answered" if unanswered else challenged
        scene.record("registration.challenged", value, answers[0].where)
    stranger = scene.deployment.stand_in.stranger_bind if scene.deployment else None
    for seen in sent:
        if stranger is not None and host_of(seen.local) == stranger:
            scene.record("registration.outside", True, f"from {seen.local}")
        scene.record("registration.user", _user(scene, username_in(seen)), seen.where)


def _target(scene: Scene, target: object) -> str | None:
    """None if one is a name and the other an address, which may belong to one host."""
    trunk = scene.trunk
    if not isinstance(target, str) or trunk is None or trunk.termination is None:
        return None
    # The host and port of a URI, with or without its brackets, scheme and parameters.
    place = re.sub(r"^<?(sips?:)?|[;>].*", "", target.strip(), flags=re.I | re.S).lower()
    if trunk.is_termination(place):
        return "the Termination URI"
    names_address = is_address(host_of(place))
    has_address = is_address(str(trunk.termination_host))
    return "another host" if names_address is has_address else None


def _user(scene: Scene, username: object) -> str | None:
    expected = scene.trunk.username if scene.trunk else None
    if not isinstance(username, str) or expected is None:
        return None
    return "the trunk's" if username == expected else "another"
