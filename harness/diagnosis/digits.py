"""Facts on digits: those that a check looked for, and those by which the caller asks the AI for a person."""

from __future__ import annotations

from harness.calls.verdict import Finding
from harness.diagnosis.derive import Scene


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    for finding in scene.of("dtmf"):
        scene.facts.record("digits", _digits(scene, finding), *finding.evidence)
    for finding in scene.of("phone.wait"):
        if is_unsent_digit(finding):
            scene.facts.record("digits", "could not be sent", finding.actual.splitlines()[0])
    _pressed(scene)


def none_arrived(scene: Scene) -> bool:
    """Whether a check found that not one did."""
    return any(_digits(scene, finding) == "none" for finding in scene.of("dtmf")[:1])


def _digits(scene: Scene, finding: Finding) -> str:
    sent, seen = finding.facts.get("sent"), finding.facts.get("seen")
    if not seen:
        return "none"
    if sent == seen and scene.failed(finding):
        return "by another method"
    return "right" if sent == seen else "wrong"


def is_unsent_digit(finding: Finding) -> bool:
    """Whether a harness phone could not send a digit, as no telephone-event was negotiated."""
    return finding.check == "phone.wait" and "telephone-event" in str(finding.facts.get("why"))


def _pressed(scene: Scene) -> None:
    """Where the caller asks the AI for a person by a digit: whether one arrived there."""
    if scene.axes.get("ask") != "digit":
        return
    for record in scene.records:
        listed = record.witness("digits")
        if isinstance(listed, list):
            scene.facts.record("digits", "arrived" if listed else "none", record.source)
