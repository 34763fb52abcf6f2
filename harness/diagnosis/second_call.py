"""Facts from the call that a case placed after its failure, to settle what was unsure; nothing else of that call is evidence."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls.events import Event, FarEndRecord
from harness.diagnosis.derive import Scene, listed

_FACTS = {"form": "again.form", "codec": "again.codec", "group": "again.group"}


def left_out(events: Sequence[Event]) -> list[Event]:
    """The case's own events: those from before its second call, and what was told of it."""
    records = (event for event in events if isinstance(event, FarEndRecord))
    began = next((event.at for event in records if _is_of_it(event) and event.record.get("begins")), None)
    if began is None:
        return list(events)
    return [event for event in events if event.at < began or isinstance(event, FarEndRecord)]


def tell(scene: Scene) -> None:
    """Make known what became of it."""
    for event in scene.events:
        if isinstance(event, FarEndRecord) and _is_of_it(event) and not event.record.get("begins"):
            told = _of_group(scene, event) if event.record.get("asks") == "group" else _of_number(scene, event)
            if (fact := _FACTS.get(str(event.record.get("asks")))) is not None:
                scene.facts.record(fact, told, event.source)


def _is_of_it(event: FarEndRecord) -> bool:
    return event.phone == "probe" and event.record.get("of") == "second call"


def _of_number(scene: Scene, event: FarEndRecord) -> str | None:
    """``taken`` only where the AI, or a harness phone in its place, was reached (an agent may be a fallback's), and not as before."""
    if "refused" in event.record:
        return "refused"
    if any(scene.vantage.role(phone) == "agent" for phone in _rang(event)):
        return None
    if event.record.get("again_as_before") != "refused":
        return None  # it may be a platform that refuses now and then
    return "taken" if event.record.get("answered") or (_rang(event) and scene.vantage.sees("ai")) else None


def _of_group(scene: Scene, event: FarEndRecord) -> str | None:
    """A refusal says nothing: a group's number need not be one that people outside may call."""
    if not scene.vantage.sees("agent") or scene.deployment is None:
        return None
    group = next((g for g in scene.deployment.groups.values() if g.did == event.record.get("dialled")), None)
    if group is not None and set(_rang(event)) & set(group.agents):
        return "the right group"
    if any(scene.vantage.role(phone) == "agent" for phone in _rang(event)):
        return "another group"
    if not event.record.get("answered"):
        return None
    # Behind a queue, or a machine, nobody has to be.
    waits = group is not None and group.answers_itself and not _rang(event)
    return "the platform itself" if waits else "another device"


def _rang(event: FarEndRecord) -> list[str]:
    return [str(phone) for phone in listed(event.record.get("rang"))]
