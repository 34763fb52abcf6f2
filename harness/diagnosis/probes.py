"""Facts from outside the case's calls: what the case and the file declare, what probes found, and a second call after the failure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls.events import Event, FarEndRecord
from harness.diagnosis.scene import Scene, listed


def tell(scene: Scene) -> None:
    for fact in ("transport", "authentication"):
        scene.record(fact, scene.axes.get(fact))
    scene.record("integration", scene.case.get("integration"))
    if scene.line is not None:
        declared = f"the deployment file says so of {scene.line[0]}"
        scene.record("destination.clear", scene.line[1].plaintext or None, declared)
        scene.record("refer.passed_on", scene.line[1].refer == "passed-on" or None, declared)
    if scene.has_stand_in:
        scene.record("probe.ai", "ours", "the stand-in of this run listens there")
        scene.record("probe.certificate", "ours", "the stand-in's own")
    elif scene.axes.get("transport") != "tls":
        scene.record("probe.certificate", "none needed", "the trunk is not TLS")
    for event in scene.events:
        if isinstance(event, FarEndRecord) and event.phone == "probe":
            _probed(scene, event)


def _probed(scene: Scene, event: FarEndRecord) -> None:
    record, source = event.record, event.source
    if _is_of_second_call(event):
        if not record.get("begins"):
            told = _at_group(scene, event) if record.get("asks") == "group" else _at_number(scene, event)
            if record.get("asks") in ("form", "codec", "group"):
                scene.record(f"again.{record['asks']}", told, source)
    elif record.get("of") == "termination":
        # A port that does not answer OPTIONS may have answered the caller's own call.
        place = scene.trunk.termination if scene.trunk else None, scene.axes.get("transport")
        answers = record.get("reach") == "silent" and any(
            m.received and (m.remote, m.transport) == place for m in scene.own
        )
        scene.record("probe.termination", "answers" if answers else record.get("reach"), source)
        if record.get("reach") == "refuses" and scene.axes.get("transport") == "udp":
            scene.record("icmp", "rejected", source)
    elif record.get("of") == "ai":
        scene.record("probe.ai", record.get("reach"), source)
        scene.record("probe.certificate", record.get("certificate"), source)


# -- the second call, which a case places after its failure to decide between causes


def without_second_call(events: Sequence[Event]) -> list[Event]:
    """The events before the second call, and the records, which tell what became of it."""
    records = (event for event in events if isinstance(event, FarEndRecord))
    began = next((event.at for event in records if _is_of_second_call(event) and event.record.get("begins")), None)
    return [event for event in events if began is None or event.at < began or isinstance(event, FarEndRecord)]


def _is_of_second_call(event: FarEndRecord) -> bool:
    return event.phone == "probe" and event.record.get("of") == "second call"


def _at_number(scene: Scene, event: FarEndRecord) -> str | None:
    """``taken`` only if the AI, or a harness phone in its place, was reached, and not before. An agent may be a fallback's."""
    rang = listed(event.record.get("rang"))
    if "refused" in event.record:
        return "refused"
    if (
        _agent_rang(scene, rang) or event.record.get("again_as_before") != "refused"
    ):  # the platform may refuse now and then
        return None
    return "taken" if event.record.get("answered") or (rang and scene.vantage.sees("ai")) else None


def _at_group(scene: Scene, event: FarEndRecord) -> str | None:
    """A refusal says nothing: people outside may not be allowed to call a group's number."""
    if not scene.vantage.sees("agent") or scene.deployment is None:
        return None
    rang = listed(event.record.get("rang"))
    group = next((g for g in scene.deployment.groups.values() if g.did == event.record.get("dialled")), None)
    if group is not None and set(rang) & set(group.agents):
        return "the right group"
    if _agent_rang(scene, rang):
        return "another group"
    if not event.record.get("answered"):
        return None
    waits = group is not None and group.answers_itself and not rang  # a queue or a machine answers in place of people
    return "the platform itself" if waits else "another device"


def _agent_rang(scene: Scene, rang: Sequence[object]) -> bool:
    return any(scene.vantage.role(str(phone)) == "agent" for phone in rang)
