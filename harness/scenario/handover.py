"""Which handover led to a landing, if the agents who rang are in the groups of several handovers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.case.checks import landing
from harness.case.events import Expected
from harness.case.model import read
from harness.deployment import TOPIC_HEADER, Handover
from harness.scenario.case_phones import HEADER_NUMBER
from harness.scenario.context import CaseContext
from harness.scenario.evidence import unobserved
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import digits_of
from harness.sip.message import Request
from harness.sip.uri import Uri
from harness.witness.recorded_transfer import landed_by, recorded_target


@dataclass(frozen=True, slots=True)
class SentTransfer:
    """A transfer that an AI sent, as far as its side shows it."""

    number: str
    topic: str | None = None
    shows_topic: bool = True  #: whether a topic would be shown


def in_messages(texts: Iterable[str]) -> Iterator[SentTransfer]:
    """The transfers among the requests that an AI sent: REFER, and new INVITEs."""
    for text in texts:
        request = read(text)
        if not isinstance(request, Request):
            continue
        with suppress(SipSyntaxError):
            if request.method == "REFER":
                to = request.refer_to.uri
                yield from _to(to, to.header(TOPIC_HEADER))
            elif request.method == "INVITE" and request.to.tag is None:
                yield from _to(request.uri, request.get(TOPIC_HEADER))


def in_actions(actions: Iterable[Any]) -> Iterator[SentTransfer]:
    """The last transfer among the actions of an AI's record, if the record has its number."""
    for action in landed_by(actions):
        to = action.get("to")
        if isinstance(to, str):
            with suppress(SipSyntaxError):
                yield from _to(Uri.parse(recorded_target(to)), shows_topic=False)


def _to(uri: Uri, topic: str | None = None, *, shows_topic: bool = True) -> Iterator[SentTransfer]:
    """Nothing where no number can be read."""
    if number := digits_of(uri):
        yield SentTransfer(number, topic, shows_topic)


def number_shown(handover: Handover, did: str) -> str | None:
    """The number that an agent sees after a warm transfer by the assistant at ``did``; None where
    it is the caller's.
    """
    match handover.transfer_caller_id:
        case "agent":
            return did
        case "fixed":
            return handover.fixed_caller_id
        case "header":
            return HEADER_NUMBER
        case _:
            return None


def mistakable(context: CaseContext, group: str) -> list[str]:
    """The groups of the assistant's other handovers whose agents would have rung in the same way."""
    deployment, assistant = context.deployment, _assistant(context)
    if not assistant:
        return []
    rang = set(context.phones.rang()) & set(deployment.groups[group].present)
    return deployment.mistakable(assistant, _asked(context), group, rang)


def hands_over_unasked(context: CaseContext) -> bool:
    """Whether the AI hands over a silent caller. It then also does so if it hears nothing of what a
    caller says.
    """
    assistant = _assistant(context)
    if not assistant:
        return False
    handovers = context.deployment.handovers(assistant).values()
    return any("silence" in handover.ways for handover in handovers)


def landing_by(
    context: CaseContext, group: str, rivals: list[str], sent: list[SentTransfer]
) -> Expected:
    """Where the call landed by the AI's transfer: here, or in a group that has the same people."""
    deployment, assistant = context.deployment, _assistant(context)
    rang = [phone for phone in context.phones.rang() if phone in deployment.groups[group].present]
    if not sent or assistant is None:
        why = "the AI's side does not tell where it transferred to"
    else:
        last = sent[-1]
        groups = _led_to(context, assistant, last, group)
        if not groups:
            why = f"{last.number}, where the AI transferred to, is the number of none of them"
        elif group in groups and groups & set(rivals):
            why = "the AI's side tells the number alone, which they have in common"
        else:
            where = group if group in groups else min(groups)
            return landing.landed.of("the handover", group, dict.fromkeys(rang, where))
    shared = f"{', '.join(rang)} rang, and may do so for {', '.join(rivals)} as well"
    return unobserved("landing", "the handover", f"the call lands at {group}", f"{shared}; {why}")


def _led_to(context: CaseContext, assistant: str, sent: SentTransfer, group: str) -> set[str]:
    """The groups that the assistant's transfer may have led to; ``group`` is the one that was asked
    for.
    """
    deployment = context.deployment
    handovers = deployment.handovers(assistant)
    made = deployment.handovers_made(
        assistant, sent.number, sent.topic, shows_topic=sent.shows_topic
    )
    groups = {deployment.lands_at(handovers[name]) for name in made if name != _asked(context)}
    if _asked(context) in made:
        groups.add(group)
    return groups


def _asked(context: CaseContext) -> str:
    return context.case.axes.get("handover", "")


def _assistant(context: CaseContext) -> str | None:
    """The assistant of the case's number; None where that leads to people only."""
    line = context.case.line
    return context.deployment.lines[line].assistant if line else None
