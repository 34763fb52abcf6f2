"""Facts on which of an assistant's handovers the AI made: the number it transferred to, the topic it sent along, whom it showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from harness.calls.checks import identity
from harness.calls.events import phone_of
from harness.deployment import TOPIC_HEADER, Deployment, Handover
from harness.diagnosis.caller_id import shown_number
from harness.diagnosis.derive import Scene, listed, number_in
from harness.diagnosis.messages import begins_dialog
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request
from harness.witness.call_record import actions_of
from harness.witness.recorded_transfer import landed_by, recorded_target

#: Of the number that the AI's own call shows: where nobody saw that call, and where it is not what an agent is shown.
NOT_SEEN, THE_PLATFORMS = "not seen", "none: the platform decides on it"


@dataclass(frozen=True)
class _Sent:
    """A transfer of the AI's, as far as it is seen."""

    number: str | None
    topic: str | None
    shows_topic: bool
    where: str


def tell(scene: Scene) -> None:
    """Make all of them known that can be; after those on transfers."""
    _caller_id(scene)
    assistant, every, asked = _handovers(scene)
    sent = next(_transfers(scene), None)
    elsewhere = scene.facts.value("transfer.landed") == "another group"
    if elsewhere or scene.facts.value("transfer.others"):
        _topic(scene, asked, sent)
    if scene.deployment is None or asked is None or len(every) < 2:
        return
    if sent is not None and sent.number is not None:
        made = scene.deployment.handovers_made(assistant, sent.number, sent.topic, shows_topic=sent.shows_topic)
        right = _asked_name(scene) in made
        if not right or len(made) == 1:  # else by number and topic nobody can tell
            told = "the one asked for" if right else "another one" if made else "none of them"
            scene.facts.record("transfer.handover", told, sent.where)
    if elsewhere:
        _rang(scene, scene.deployment, [handover for handover in every.values() if handover is not asked])


def _caller_id(scene: Scene) -> None:
    """Whether the AI's own call shows the number that the agent was to get; a REFER leaves that to the platform."""
    findings, deployment, facts = scene.of("caller_id", role="agent"), scene.deployment, scene.facts
    way, told = facts.value("transfer.way"), facts["transfer.way"].evidence if "transfer.way" in facts else ()
    if not findings or "transfer.landed" not in facts or way == "dialled":
        return
    if way is None and deployment is not None and scene.line is not None:
        declared = deployment.handover(scene.line[0], _asked_name(scene))
        way = {"cold": "REFER", "warm": "INVITE"}[declared.transfer] if declared else None
        told = ("deployment file",)
    if way == "REFER" or _is_shown_the_platforms(scene, findings[0].subject):
        facts.record("transfer.caller_id", THE_PLATFORMS, *told)
    for seen in reversed(scene.at_ai):
        if not seen.received and begins_dialog(seen.message):
            number, region = str(findings[0].facts.get("number")), deployment.region if deployment else ""
            shown = identity.caller_id(seen.message, "the agent", number, "preserved", region)
            facts.record("transfer.caller_id", shown_number(scene, shown), shown.actual, seen.where)
    facts.record("transfer.caller_id", NOT_SEEN, *told)


def _is_shown_the_platforms(scene: Scene, leg: str) -> bool:
    """Whether the agent is called at a telephone, where the platform shows a number of its own."""
    phone = scene.deployment.phones.get(phone_of(leg) or leg) if scene.deployment else None
    return phone is not None and phone.number is not None and phone.shows != "original"


def _asked_name(scene: Scene) -> str:
    return scene.axes.get("handover", "")


def _handovers(scene: Scene) -> tuple[str, Mapping[str, Handover], Handover | None]:
    """The line's assistant, its handovers, and the one that the case is about."""
    assistant = scene.line[1].assistant if scene.line else None
    if scene.deployment is None or assistant is None or scene.moment != "transfer":
        return "", {}, None
    every = scene.deployment.handovers(assistant)
    return assistant, every, every.get(_asked_name(scene))


def _transfers(scene: Scene) -> Iterator[_Sent]:
    """The AI's transfers, those that tell more first: its messages, the REFER that a phone got, its record."""
    for seen in reversed(scene.at_ai):
        if not seen.received and isinstance(seen.message, Request):
            if seen.message.method == "REFER":
                yield _referred(seen.message, seen.where)
            elif begins_dialog(seen.message):
                yield _Sent(number_in(str(seen.message.uri)), seen.message.get(TOPIC_HEADER), True, seen.where)
    for event, message in scene.received_by("caller"):
        if isinstance(message, Request) and message.method == "REFER":
            yield _referred(message, scene.number_of(event))
    for record in scene.records:
        for action in landed_by(actions_of(record.record)):
            to = action.get("to")
            yield _Sent(number_in(recorded_target(to)) if isinstance(to, str) else None, None, False, record.source)


def _referred(refer: Request, where: str) -> _Sent:
    topic = None
    with suppress(SipSyntaxError):
        topic = refer.refer_to.uri.header(TOPIC_HEADER)
    return _Sent(number_in(refer.get("Refer-To") or ""), topic, True, where)


def _topic(scene: Scene, asked: Handover | None, sent: _Sent | None) -> None:
    groups = scene.deployment.groups.values() if scene.deployment else ()
    wanted = asked.transfer_topic if asked else None
    if wanted is None or wanted not in {group.topic for group in groups}:
        scene.facts.record("transfer.topic", "none needed")
    elif sent is not None and sent.shows_topic:
        named = "the right one" if sent.topic == wanted else "none" if sent.topic is None else "another"
        scene.facts.record("transfer.topic", named, sent.where)


def _rang(scene: Scene, deployment: Deployment, others: list[Handover]) -> None:
    """Whether those who rang are people whom another handover leads to."""
    groups = deployment.groups
    topics = {handover.transfer_topic for handover in others} - {None}
    theirs = {handover.transfer_to for handover in others if handover.transfer_topic is None}
    theirs |= {name for name, group in groups.items() if group.topic in topics}
    agents = {agent for name in theirs if name in groups for agent in groups[name].agents}
    for finding in scene.of("landing"):
        if set(map(str, listed(finding.facts.get("phones")))) & agents:
            scene.facts.record("transfer.rang", True, finding.actual)
