"""Facts that the harness itself contributes: what the case and the file declare, what its phones
report of themselves, what probes found, and a second call that a case places after its failure to
decide between causes.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.case.check_table import Role
from harness.case.events import (
    AskedByOptions,
    CallsRefused,
    FarEndRecord,
    NameLookup,
    PasswordWithheld,
    WithheldBy,
)
from harness.case.legs import CaseEvents, E
from harness.diagnosis.scene import Scene, is_ai_record, listed

#: Why a password was withheld: the realm is not the configured one, or another than in the first
#: challenge (RFC 7616 section 3.3).
_WITHHELD_BY: dict[WithheldBy, str] = {
    "realm configured": "another realm than configured",
    "first realm": "another realm than the first",
    "stronger algorithm": "a weaker algorithm",
}
#: A platform that sent no OPTIONS within this time sends them less than once a minute, or never.
_ASKED_WITHIN_S = 120.0


def derive(scene: Scene) -> None:
    """These facts come before those of all other parts, which may build on them."""
    _names(scene)
    for kept in _reports(scene, PasswordWithheld, "caller")[-1:]:
        if kept.rule is not None:
            scene.record("password.withheld", _WITHHELD_BY[kept.rule], f"{kept.phone}: {kept.why}")
    _options(scene)
    _without_room(scene)
    _declared(scene)
    for record in scene.events.of(FarEndRecord):
        if not is_ai_record(record):
            _probed(scene, record)


def _without_room(scene: Scene) -> None:
    """Calls that a harness phone refused because it had as many as it takes."""
    roles: tuple[Role, ...] = ("caller", "agent", "ai")
    for role in roles:
        refused = [event for event in _reports(scene, CallsRefused, role) if not event.why]
        if not refused:
            continue
        last = refused[-1]
        calls = f"{len(refused)} calls by itself with 486, the last from {last.source}"
        scene.record(f"refusal.{role}", "no room", f"{last.phone} refused {calls}")


# -- what harness phones report


def _reports(scene: Scene, kind: type[E], role: Role) -> list[E]:
    return [event for event in scene.reported(kind, role) if event.at <= scene.over]


def _names(scene: Scene) -> None:
    """Look-ups of the host name of the caller's server that failed."""
    began = {leg.leg for leg in scene.legs if leg.replaces is None}
    lookups = _reports(scene, NameLookup, "caller")
    if scene.call is not None:
        lookups = [each for each in lookups if each.leg in began]
    for lookup in lookups[-1:]:
        if not lookup.problem:
            return
        name, seconds = lookup.name, f"{lookup.seconds:.1f} s"
        words = f"{lookup.phone} looked {name} up for {seconds}: {lookup.problem}"
        unknown = "no such name" if lookup.denied else "no name server knows"
        scene.record("name.caller", unknown, words)


def _options(scene: Scene) -> None:
    """Whether the platform sent the stand-in an OPTIONS before the call. Many platforms call no
    address that has not answered one.
    """
    reported = scene.events.first(AskedByOptions)
    if reported is None or scene.call is None:
        return
    at_phone = [m for m in scene.messages if m.phone == reported.phone]
    asked = [m.time for m in at_phone if m.is_request("OPTIONS")]
    often = f"every {reported.every_s:g} s" if reported.every_s else ""
    if asked or reported.answered or often:
        scene.record("trunk.asks", True, often)
    if reported.answered or any(at < scene.call.at for at in asked):
        return
    there_s = reported.there_s + scene.call.at - reported.at
    if often or there_s < _ASKED_WITHIN_S:
        words = f"{reported.phone} had been there for {there_s:.1f} s"
        scene.record("trunk.asked", "none since its phone came", words)


# -- what the case and the file declare, and what probes found


def _declared(scene: Scene) -> None:
    """What the case and the deployment file say. A stand-in of the harness needs no probe."""
    for fact in ("transport", "authentication"):
        scene.record(fact, scene.axes.get(fact))
    scene.record("integration", scene.case.get("integration"))
    if scene.line is not None:
        declared = f"the deployment file says so of {scene.line_name}"
        scene.record("destination.clear", scene.line.plaintext or None, declared)
        scene.record("refer.passed_on", scene.line.refer == "passed-on" or None, declared)
    if scene.has_stand_in:
        scene.record("probe.ai", "ours", "the stand-in of this run listens there")
        scene.record("probe.certificate", "ours", "the stand-in's own")
    elif scene.axes.get("transport") != "tls":
        scene.record("probe.certificate", "none needed", "the trunk is not TLS")


def _probed(scene: Scene, event: FarEndRecord) -> None:
    """What a probe found after the failure: at the trunk, at the AI, or by a second call."""
    record, source = event.record, event.source
    if _is_of_second_call(event):
        _of_second_call(scene, event)
    elif record.get("of") == "termination":
        _termination(scene, event)
    elif record.get("of") == "ai":
        scene.record("probe.ai", record.get("reach"), source)
        scene.record("probe.certificate", record.get("certificate"), source)


def _termination(scene: Scene, event: FarEndRecord) -> None:
    """What the trunk's port answers. Over UDP, a port refuses by an ICMP error (RFC 1122 section
    4.1.3.1).
    """
    reach, transport = event.record.get("reach"), scene.axes.get("transport")
    if reach == "refuses" and transport == "udp":
        scene.record("icmp", "rejected", event.source)
    if reach == "silent" and _has_answered_a_call(scene):
        reach = "answers"
    scene.record("probe.termination", reach, event.source)


def _has_answered_a_call(scene: Scene) -> bool:
    """Whether the trunk's port answered the caller's own call, as one may that does not answer
    OPTIONS.
    """
    place = scene.trunk.termination if scene.trunk else None
    transport = scene.axes.get("transport")
    answers = [m for m in scene.own if m.received]
    return any((m.remote, m.transport) == (place, transport) for m in answers)


# -- the second call


def without_second_call(events: CaseEvents) -> CaseEvents:
    """The events before the second call, and all records, among which are the second call's
    results.
    """
    second = [one for one in events.of(FarEndRecord) if _is_of_second_call(one)]
    begins = [one.at for one in second if one.record.get("begins")]
    if not begins:
        return events
    return CaseEvents(e for e in events if e.at < begins[0] or type(e) is FarEndRecord)


def _is_of_second_call(event: FarEndRecord) -> bool:
    return event.phone == "probe" and event.record.get("of") == "second call"


def _of_second_call(scene: Scene, event: FarEndRecord) -> None:
    """What a second call shows that asks for the same with another form of the number, another
    codec, or by the group's own number.
    """
    asks = event.record.get("asks")
    if event.record.get("begins"):
        return
    if asks == "group":
        scene.record("again.group", _at_group(scene, event), event.source)
    elif asks in ("form", "codec"):
        scene.record(f"again.{asks}", _at_number(scene, event), event.source)


def _at_number(scene: Scene, event: FarEndRecord) -> str | None:
    """``taken`` only if the AI, or a harness phone in its place, was reached, and not before. An
    agent may be a fallback's.
    """
    record = event.record
    rang = listed(record.get("rang"))
    if "refused" in record:
        return "refused"
    if _agent_rang(scene, rang):
        return None
    if record.get("again_as_before") != "refused":
        return None  # the platform may refuse now and then
    at_ai = bool(rang) and scene.vantage.sees("ai")
    return "taken" if record.get("answered") or at_ai else None


def _at_group(scene: Scene, event: FarEndRecord) -> str | None:
    """A refusal says nothing: people outside may not be allowed to call a group's number."""
    if not scene.vantage.sees("agent") or scene.deployment is None:
        return None
    rang = listed(event.record.get("rang"))
    dialled = event.record.get("dialled")
    groups = scene.deployment.groups.values()
    group = next((group for group in groups if group.did == dialled), None)
    if group is not None and set(rang) & set(group.agents):
        return "the right group"
    if _agent_rang(scene, rang):
        return "another group"
    if not event.record.get("answered"):
        return None
    # A queue or a machine answers in place of people.
    waits = group is not None and group.answers_itself
    return "the platform itself" if waits and not rang else "another device"


def _agent_rang(scene: Scene, rang: Sequence[object]) -> bool:
    return any(scene.vantage.role(str(phone)) == "agent" for phone in rang)
