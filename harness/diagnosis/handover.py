"""Facts on which of an assistant's handovers the AI made: the number and topic it sent, and the number it showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from harness.calls.checks import identity
from harness.calls.model import CallMessage
from harness.deployment import TOPIC_HEADER, Deployment, Handover
from harness.diagnosis.caller_id import number_shown, shown_at_telephone
from harness.diagnosis.scene import Scene, listed, number_in
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request
from harness.witness.call_record import actions_of
from harness.witness.recorded_transfer import landed_by, recorded_target


@dataclass(frozen=True)
class _Sent:
    """A transfer of the AI, as far as it was seen."""

    number: str | None
    topic: str | None
    shows_topic: bool
    where: str


def tell(scene: Scene) -> None:
    """Record the facts; after those on transfers."""
    _caller_id(scene)
    assistant = scene.line[1].assistant if scene.line else None
    every: Mapping[str, Handover] = {}
    if scene.deployment is not None and assistant is not None and scene.moment == "transfer":
        every = scene.deployment.handovers(assistant)
    name = scene.axes.get("handover", "")
    asked, sent = every.get(name), next(_transfers(scene), None)
    elsewhere = scene.value("transfer.landed") == "another group"
    if elsewhere or scene.value("transfer.others"):
        _topic(scene, asked, sent)
    if scene.deployment is None or assistant is None or asked is None or len(every) < 2:
        return
    if sent is not None and sent.number is not None:
        made = scene.deployment.handovers_made(assistant, sent.number, sent.topic, shows_topic=sent.shows_topic)
        if name not in made or len(made) == 1:  # else number and topic leave it open
            told = "the one asked for" if name in made else "another one" if made else "none of them"
            scene.record("transfer.handover", told, sent.where)
    if elsewhere:
        _rang(scene, scene.deployment, [handover for handover in every.values() if handover is not asked])


def _caller_id(scene: Scene) -> None:
    """Whether the AI's own call shows the number that the agent should get. With a REFER, the platform decides on it."""
    findings, deployment = scene.of("caller_id", role="agent"), scene.deployment
    way, told = scene.value("transfer.way"), scene.shown_by("transfer.way")
    if not findings or "transfer.landed" not in scene.facts or way == "dialled":
        return
    if way is None and deployment is not None and scene.line is not None:
        declared = deployment.handover(scene.line[0], scene.axes.get("handover", ""))
        way = {"cold": "REFER", "warm": "INVITE"}[declared.transfer] if declared else None
        told = ("deployment file",)
    if way == "REFER" or shown_at_telephone(scene, findings[0].subject) not in (None, "original"):
        scene.record("transfer.caller_id", "none: the platform decides on it", *told)
    for seen in reversed(scene.sent_by_ai):
        if seen.begins_dialog:
            number, region = str(findings[0].facts.get("number")), deployment.region if deployment else ""
            found = identity.caller_id(seen.message, "the agent", number, "preserved", region)
            scene.record("transfer.caller_id", number_shown(scene, found), found.actual, seen.where)
    scene.record("transfer.caller_id", "not seen", *told)


def _transfers(scene: Scene) -> Iterator[_Sent]:
    """The AI's transfers, the most telling first: in its messages, in a REFER that a phone got, in its record."""
    for seen in reversed(scene.sent_by_ai):
        if isinstance(seen.message, Request) and seen.begins_dialog:
            yield _Sent(number_in(str(seen.message.uri)), seen.message.get(TOPIC_HEADER), True, seen.where)
        elif seen.is_request("REFER"):
            yield _referred(seen)
    for seen in scene.messages_of("caller"):
        if seen.received and seen.is_request("REFER"):
            yield _referred(seen)
    for record in scene.records:
        for action in landed_by(actions_of(record.record)):
            to = action.get("to")
            yield _Sent(number_in(recorded_target(to)) if isinstance(to, str) else None, None, False, record.source)


def _referred(refer: CallMessage) -> _Sent:
    topic = None
    with suppress(SipSyntaxError):
        topic = refer.message.refer_to.uri.header(TOPIC_HEADER)
    return _Sent(number_in(refer.message.get("Refer-To") or ""), topic, True, refer.where)


def _topic(scene: Scene, asked: Handover | None, sent: _Sent | None) -> None:
    groups = scene.deployment.groups.values() if scene.deployment else ()
    wanted = asked.transfer_topic if asked else None
    if wanted is None or wanted not in {group.topic for group in groups}:
        scene.record("transfer.topic", "none needed")
    elif sent is not None and sent.shows_topic:
        named = "the right one" if sent.topic == wanted else "none" if sent.topic is None else "another"
        scene.record("transfer.topic", named, sent.where)


def _rang(scene: Scene, deployment: Deployment, others: list[Handover]) -> None:
    """Whether those who rang are people to whom another handover leads."""
    groups = deployment.groups
    topics = {handover.transfer_topic for handover in others} - {None}
    theirs = {handover.transfer_to for handover in others if handover.transfer_topic is None}
    theirs |= {name for name, group in groups.items() if group.topic in topics}
    agents = {agent for name in theirs if name in groups for agent in groups[name].agents}
    for finding in scene.of("landing"):
        if set(map(str, listed(finding.facts.get("phones")))) & agents:
            scene.record("transfer.rang", True, finding.actual)
