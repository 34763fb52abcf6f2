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
    _names(scene)
    for kept in _reports(scene, PasswordWithheld, "caller")[-1:]:
        if kept.rule is not None:
            scene.record("password.withheld", _WITHHELD_BY[kept.rule], f"{kept.phone}: {kept.why}")
    _options(scene)
    roles: tuple[Role, ...] = ("caller", "agent", "ai")
    for role in roles:
        if refused := [event for event in _reports(scene, CallsRefused, role) if not event.why]:
            last = refused[-1]
            words = f"{last.phone} refused {len(refused)} calls by itself with 486, the last from {last.source}"
            scene.record(f"refusal.{role}", "no room", words)
    _declared(scene)
    for record in scene.events.of(FarEndRecord):
        if not is_ai_record(record):
            _probed(scene, record)


# -- what harness phones report


def _reports(scene: Scene, kind: type[E], role: Role) -> list[E]:
    return [event for event in scene.reported(kind, role) if event.at <= scene.over]


def _names(scene: Scene) -> None:
    """Look-ups of the host name of the caller's server that failed."""
    lookups = _reports(scene, NameLookup, "caller")
    began = {leg.leg for leg in scene.legs if leg.replaces is None}
    for lookup in [each for each in lookups if each.leg in began or scene.call is None][-1:]:
        words = (
            f"{lookup.phone} looked {lookup.name} up for {lookup.seconds:.1f} s: {lookup.problem}"
        )
        unknown = "no such name" if lookup.denied else "no name server knows"
        scene.record("name.caller", unknown if lookup.problem else None, words)


def _options(scene: Scene) -> None:
    """Whether the platform sent the stand-in an OPTIONS before the call. Many platforms call no
    address that has not answered one.
    """
    reported = scene.events.first(AskedByOptions)
    if reported is None or scene.call is None:
        return
    asked = [
        m.time for m in scene.messages if m.phone == reported.phone and m.is_request("OPTIONS")
    ]
    often = f"every {reported.every_s:g} s" if reported.every_s else ""
    if asked or reported.answered or often:
        scene.record("trunk.asks", True, often)
    if reported.answered or any(at < scene.call.at for at in asked):
        return
    there_s = reported.there_s + scene.call.at - reported.at
    if often or there_s < _ASKED_WITHIN_S:
        scene.record(
            "trunk.asked",
            "none since its phone came",
            f"{reported.phone} had been there for {there_s:.1f} s",
        )


# -- what the case and the file declare, and what probes found


def _declared(scene: Scene) -> None:
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
    record, source = event.record, event.source
    asks, reach = record.get("asks"), record.get("reach")
    if _is_of_second_call(event):
        if not record.get("begins") and asks in ("form", "codec", "group"):
            found = _at_group(scene, event) if asks == "group" else _at_number(scene, event)
            scene.record(f"again.{asks}", found, source)
    elif record.get("of") == "termination":
        # A port that does not answer OPTIONS may have answered the caller's own call.
        place = scene.trunk.termination if scene.trunk else None, scene.axes.get("transport")
        answers = reach == "silent" and any(
            m.received and (m.remote, m.transport) == place for m in scene.own
        )
        scene.record("probe.termination", "answers" if answers else reach, source)
        if reach == "refuses" and scene.axes.get("transport") == "udp":
            scene.record("icmp", "rejected", source)
    elif record.get("of") == "ai":
        scene.record("probe.ai", reach, source)
        scene.record("probe.certificate", record.get("certificate"), source)


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


def _at_number(scene: Scene, event: FarEndRecord) -> str | None:
    """``taken`` only if the AI, or a harness phone in its place, was reached, and not before. An
    agent may be a fallback's.
    """
    rang = listed(event.record.get("rang"))
    if "refused" in event.record:
        return "refused"
    if _agent_rang(scene, rang) or event.record.get("again_as_before") != "refused":
        return None  # the platform may refuse now and then
    return "taken" if event.record.get("answered") or (rang and scene.vantage.sees("ai")) else None


def _at_group(scene: Scene, event: FarEndRecord) -> str | None:
    """A refusal says nothing: people outside may not be allowed to call a group's number."""
    if not scene.vantage.sees("agent") or scene.deployment is None:
        return None
    rang = listed(event.record.get("rang"))
    group = next(
        (g for g in scene.deployment.groups.values() if g.did == event.record.get("dialled")), None
    )
    if group is not None and set(rang) & set(group.agents):
        return "the right group"
    if _agent_rang(scene, rang):
        return "another group"
    if not event.record.get("answered"):
        return None
    waits = (
        group is not None and group.answers_itself and not rang
    )  # a queue or a machine answers in place of people
    return "the platform itself" if waits else "another device"


def _agent_rang(scene: Scene, rang: Sequence[object]) -> bool:
    return any(scene.vantage.role(str(phone)) == "agent" for phone in rang)
