"""Facts that the probes tell, which asked the ports of both sides directly when a case had failed."""

from __future__ import annotations

from harness.calls.events import FarEndRecord
from harness.diagnosis.derive import Scene


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
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
    messages = scene.messages(scene.call.leg) if scene.call else ()
    return any(e.direction == "received" and (e.remote, e.transport) == place for e in messages)
