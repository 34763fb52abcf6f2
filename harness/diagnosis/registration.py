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
    for finding in scene.of("registration", "registration.refused"):
        _answered(
            scene, finding, answers, messages_seen=scene.has_stand_in or bool(sent or answers)
        )
    for finding in scene.of("timing.within"):
        if finding.facts.get("what") == _REFRESHED:
            granted, asked = finding.facts.get("granted_s"), finding.facts.get("asked_s")
            scene.record("registration.lapsed", finding.failed, finding.actual)
            if granted and asked:
                scene.record(
                    "registration.granted",
                    "shorter" if granted < asked else "as asked",
                    finding.expected,
                )
    for record in scene.records:
        if "registrations" in record.record:
            scene.record(
                "registration.target",
                _target(scene, record.record.get("termination_uri")),
                record.source,
            )
            scene.record(
                "registration.user", _user(scene, record.record.get("username")), record.source
            )
    if scene.of("registration", "timing.within") and scene.has_stand_in:
        words = "the stand-in was told it by the deployment file"
        scene.record("registration.target", "the Termination URI", words)
    _registers(scene, sent, [m for m in answers if m.is_final])


def _answered(
    scene: Scene, finding: Finding, answers: Sequence[CallMessage], *, messages_seen: bool
) -> None:
    code, reason = finding.facts.get("code"), str(finding.facts.get("reason") or "")
    same = [m.message for m in answers if m.status == code]
    response = same[-1] if same else None
    refused = [
        f"{event.phone}: {event.reason} ({event.transport} to {event.remote})"
        for event in scene.events.of(TransportFailed)
        if OF_THE_STACK.search(event.reason) and not TIMED_OUT.search(event.reason)
    ]
    # A stack reports a timeout as 408, and a transport error as 503 (RFC 3261 section 8.1.3.1).
    answer: object = code
    if response is None and code in (0, 408, 503):
        if code == 503 and TIMED_OUT.search(reason):
            answer = "none"
        elif refused or (code == 503 and OF_THE_STACK.search(reason)):
            answer = "connection refused"
        elif code != 503 or messages_seen:
            answer = "none"
        elif not reason:
            answer = "503 or none"
    reported = why.stated(response)
    refused = refused if answer == "connection refused" else []
    scene.record(
        "registration.answer", answer, *finding.evidence, *refused, finding.actual, *reported
    )
    said = of_message(response) if isinstance(response, Response) else about(reason)
    scene.record("registration.refusal", said, finding.actual, *reported)
    taken = finding.check == "registration.refused" and finding.failed and code == 200
    scene.record("registration.taken", taken or None, finding.actual)


def _registers(scene: Scene, sent: Sequence[CallMessage], answers: Sequence[CallMessage]) -> None:
    if answers:
        challenged = any(m.is_challenge for m in answers)
        unanswered = challenged and bool(sent) and not any(map(username_in, sent))
        scene.record(
            "registration.challenged",
            "never answered" if unanswered else challenged,
            answers[0].where,
        )
    stranger = scene.deployment.stand_in.stranger_bind if scene.deployment else None
    for seen in sent:
        outside = stranger is not None and host_of(seen.local) == stranger
        scene.record("registration.outside", outside or None, f"from {seen.local}")
        scene.record("registration.user", _user(scene, username_in(seen)), seen.where)


def _target(scene: Scene, target: object) -> str | None:
    """None if one is a name and the other an address, which may belong to one host."""
    if not isinstance(target, str) or scene.trunk is None or scene.trunk.termination is None:
        return None
    place = re.sub(r"^<?(sips?:)?|[;>].*", "", target.strip(), flags=re.I | re.S).lower()
    if scene.trunk.is_termination(place):
        return "the Termination URI"
    return (
        "another host"
        if is_address(host_of(place)) is is_address(str(scene.trunk.termination_host))
        else None
    )


def _user(scene: Scene, username: object) -> str | None:
    expected = scene.trunk.username if scene.trunk else None
    if not isinstance(username, str) or expected is None:
        return None
    return "the trunk's" if username == expected else "another"
