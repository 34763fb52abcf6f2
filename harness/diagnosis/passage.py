"""Facts on what was lost between the caller and the AI: headers, digits, encryption, early media, reliable responses."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from harness.calls.model import CallMessage
from harness.calls.verdict import Finding
from harness.diagnosis.scene import Scene, listed
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request


def tell(scene: Scene) -> None:
    offer = _first(scene.own, lambda m: not m.received and m.begins_dialog)
    reached = _first(scene.at_ai, lambda m: m.received and m.begins_dialog)
    _headers(scene)
    _digits(scene, offer, reached)
    # A platform that acknowledged reliably itself need not ask the AI for it, unless an agent rang meanwhile.
    found = scene.of("prack")
    alone = scene.value("instead") in (None, "nobody")
    acknowledged = alone and bool(found) and not any(finding.failed for finding in found)
    if not acknowledged and offer is not None and "100rel" in (offer.get("Require") or ""):
        lost = _lost(offer, reached, lambda m: "100rel" in f"{m.get('Require')},{m.get('Supported')}")
        scene.record("lost.reliability", _made_unreliable(scene) or lost)
    for finding in scene.failed("media.encrypted"):
        scene.record("lost.encryption", _lost(offer, reached, lambda m: b"a=crypto:" in m.body), finding.actual)
    if any(not m.received and _is_early(m) for m in scene.at_ai) and scene.vantage.sees("caller"):
        heard = any(m.received and _is_early(m) for m in scene.own)
        for finding in scene.failed("audio.early"):
            scene.record("lost.early", not heard, finding.actual)


def _first(messages: Iterable[CallMessage], which: Callable[[CallMessage], bool]) -> Message | None:
    return next((m.message for m in messages if which(m)), None)


def _made_unreliable(scene: Scene) -> bool:
    """The AI sent reliable provisional responses, and not all that the caller got are reliable (RFC 3262 section 3)."""
    got = [m.message for m in scene.own if m.received and 100 < m.answers("INVITE") < 200]
    sent = [m.message for m in scene.sent_by_ai if 100 < m.answers("INVITE") < 200]
    return bool(got) and any(m.has("RSeq") for m in sent) and not all(m.has("RSeq") for m in got)


def _is_early(seen: CallMessage) -> bool:
    return 180 <= seen.answers("INVITE") <= 189 and b"m=audio" in seen.message.body


def _lost(sent: Message | None, got: Message | None, has: Callable[[Message], bool]) -> bool | None:
    """Whether the message that was sent had it and the one that arrived has not; None if one of them was not seen."""
    return None if sent is None or got is None else has(sent) and not has(got)


# -- X-headers


def _headers(scene: Scene) -> None:
    for finding in scene.failed("header", "header.absent"):
        role, name = scene.vantage.made_by(finding), str(finding.facts.get("header", ""))
        if role not in ("ai", "agent") or (role == "ai" and name.lower().startswith("x-gladly")):
            continue
        values = listed(finding.facts.get("values"))
        wrong = "missing" if not values else "there more than once" if len(values) > 1 else "another value"
        scene.record(f"header.{role}", wrong, f"{name}: {finding.actual}", *finding.evidence)
        if role == "agent":
            _sent_on(scene, name, finding.facts.get("value"))


def _sent_on(scene: Scene, name: str, agreed: object) -> None:
    """Whether the AI's transfer has the header as agreed. A REFER asks for it in the target's URI."""
    for seen in reversed(scene.sent_by_ai):
        message = seen.message
        if not isinstance(message, Request) or not (message.method == "REFER" or seen.begins_dialog):
            continue
        with contextlib.suppress(SipSyntaxError):
            value = message.refer_to.uri.header(name) if message.method == "REFER" else message.get(name)
            right: object = True if agreed in (None, value) else "another value"
            scene.record("header.sent", False if value is None else right, seen.where)


# -- digits


def _digits(scene: Scene, offer: Message | None, reached: Message | None) -> None:
    for finding in scene.of("dtmf"):
        scene.record("digits", _arrived(finding), *finding.evidence)
    for finding in scene.of("phone.wait"):
        if is_unsent_digit(finding):
            scene.record("digits", "could not be sent", finding.actual.splitlines()[0])
    if scene.axes.get("ask") == "digit":  # the caller asks the AI for a person by a digit
        for record in scene.records:
            if isinstance(pressed := record.witness("digits"), list):
                scene.record("digits", "arrived" if pressed else "none", record.source)
    if not any(
        finding.facts.get("method") == "info" for finding in scene.of("dtmf")
    ):  # INFO needs no negotiation (RFC 6086)
        _negotiated(scene, offer, reached)


def digits_arrived(scene: Scene) -> str | None:
    """What a check says of the digits that arrived."""
    return next((_arrived(finding) for finding in scene.of("dtmf")), None)


def _arrived(finding: Finding) -> str:
    sent, seen = finding.facts.get("sent"), finding.facts.get("seen")
    if not seen:
        return "none"
    if sent != seen:
        return "wrong"
    return "by another method" if finding.failed else "right"


def is_unsent_digit(finding: Finding) -> bool:
    """Whether a harness phone could not send a digit, because no telephone-event was negotiated."""
    return finding.check == "phone.wait" and "telephone-event" in str(finding.facts.get("why"))


def _negotiated(scene: Scene, offer: Message | None, reached: Message | None) -> None:
    """Where telephone-event was lost between the caller's offer and the answer to it (RFC 4733 section 2.4.1)."""
    answer = _first(scene.own, lambda m: m.received and _is_answer(m))
    steps = (
        (offer, ""),
        (reached, "the platform took it out of the offer to the AI"),
        (_first(scene.sent_by_ai, _is_answer), "the AI did not take it"),
        (answer, "the platform took it out of the answer to the caller"),
    )
    seen = [(_has_events(message), lost, message) for message, lost in steps if message and b"m=audio" in message.body]
    for (had, _, _), (has, lost, message) in pairwise(seen):
        if had and not has:
            scene.record("digits.negotiated", lost, message.start_line)
    if answer is not None and seen and all(has for has, _, _ in seen):
        scene.record("digits.negotiated", "in all of them")


def _is_answer(seen: CallMessage) -> bool:
    return 200 <= seen.answers("INVITE") < 300 and b"m=audio" in seen.message.body


def _has_events(message: Message) -> bool:
    return re.search(rb"^a=rtpmap:\d+ telephone-event/", message.body, re.M | re.I) is not None
