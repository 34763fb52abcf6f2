"""Facts on what an INVITE or its answer lost between the caller and the AI: headers, digits, encryption, early media."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from harness.calls.events import SipMessage
from harness.diagnosis.derive import Scene, listed
from harness.diagnosis.messages import begins_dialog, parse, response_to
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request


@dataclass(frozen=True)
class _Call:
    """Both legs of the caller's call to the AI, as far as they are seen; each is None where it is not."""

    offer: Message | None  #: the caller's INVITE
    reached: Message | None  #: the INVITE that the AI got
    early: Message | None  #: a 18x of the AI's that has SDP
    answered: Message | None  #: the AI's 200
    heard: Message | None  #: a 18x with SDP that the caller got
    answer: Message | None  #: the 200 that the caller got


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    call = _call(scene)
    _headers(scene)
    _digits(scene, call)
    # One that acknowledged reliably by itself had no need to ask the AI for it; unless it was an agent who rang meanwhile.
    alone = scene.facts.value("instead") in (None, "nobody")
    found = scene.of("prack")
    acknowledged = alone and bool(found) and not any(map(scene.failed, found))
    if not acknowledged and call.offer is not None and "100rel" in (call.offer.get("Require") or ""):
        lost = _lost(call.offer, call.reached, lambda message: "100rel" in _options(message))
        scene.facts.record("lost.reliability", _made_unreliable(scene) or lost)
    for finding in scene.of("media.encrypted"):
        if scene.failed(finding):
            scene.facts.record("lost.encryption", _lost(call.offer, call.reached, _encrypted), finding.actual)
    for finding in scene.of("audio.early"):
        if scene.failed(finding) and call.early is not None and scene.vantage.sees("caller"):
            scene.facts.record("lost.early", call.heard is None, finding.actual)


def _call(scene: Scene) -> _Call:
    own = [e for e in scene.events if isinstance(e, SipMessage) and scene.call and e.leg == scene.call.leg]
    mine = [(e.direction == "received", m) for e in own if (m := parse(e.text)) is not None]
    theirs = [(seen.received, seen.message) for seen in scene.at_ai]
    return _Call(
        offer=next((m for got, m in mine if not got and begins_dialog(m)), None),
        reached=next((m for got, m in theirs if got and begins_dialog(m)), None),
        early=next((m for got, m in theirs if not got and _is_early(m)), None),
        answered=next((m for got, m in theirs if not got and _is_answer(m)), None),
        heard=next((m for got, m in mine if got and _is_early(m)), None),
        answer=next((m for got, m in mine if got and _is_answer(m)), None),
    )


def _made_unreliable(scene: Scene) -> bool:
    """The AI sent reliable provisional responses, and not all that the caller got are (RFC 3262 section 3)."""
    own = (parse(e.text) for e in scene.messages(scene.call.leg) if e.direction == "received") if scene.call else ()
    got = [m for m in own if m is not None and _is_provisional(m)]
    sent = [seen.message for seen in scene.at_ai if not seen.received and _is_provisional(seen.message)]
    return bool(got) and any(m.has("RSeq") for m in sent) and not all(m.has("RSeq") for m in got)


def _is_provisional(message: Message) -> bool:
    response = response_to(message, "INVITE")
    return response is not None and 100 < response.status < 200


def _is_early(message: Message) -> bool:
    response = response_to(message, "INVITE")
    return response is not None and 180 <= response.status <= 189 and b"m=audio" in message.body


def _is_answer(message: Message) -> bool:
    response = response_to(message, "INVITE")
    return response is not None and response.is_success and b"m=audio" in message.body


def _options(message: Message) -> str:
    return f"{message.get('Require') or ''},{message.get('Supported') or ''}"


def _encrypted(message: Message) -> bool:
    return b"a=crypto:" in message.body


def _lost(sent: Message | None, got: Message | None, has: Callable[[Message], bool]) -> bool | None:
    """Whether what was sent had it, and what arrived has not; None where one of them is not seen."""
    if sent is None or got is None:
        return None
    return has(sent) and not has(got)


# -- X-headers


def _headers(scene: Scene) -> None:
    for finding in scene.of("header", "header.absent"):
        role = scene.vantage.made_by(finding)
        name = str(finding.facts.get("header", ""))
        if role not in ("ai", "agent") or (role == "ai" and name.lower().startswith("x-gladly")):
            continue
        if not scene.failed(finding):
            continue
        values = listed(finding.facts.get("values"))
        wrong = "missing" if not values else "there more than once" if len(values) > 1 else "another value"
        scene.facts.record(f"header.{role}", wrong, f"{name}: {finding.actual}", *finding.evidence)
        if role == "agent":
            _sent_on(scene, name, finding.facts.get("value"))


def _sent_on(scene: Scene, name: str, agreed: object) -> None:
    """Whether the AI's transfer has the header as agreed; its REFER asks for it in the target's URI."""

    def sent(value: str | None) -> object:
        return False if value is None else True if agreed in (None, value) else "another value"

    for seen in reversed(scene.at_ai):
        message = seen.message
        if seen.received or not isinstance(message, Request):
            continue
        with contextlib.suppress(SipSyntaxError):
            if message.method == "REFER":
                scene.facts.record("header.sent", sent(message.refer_to.uri.header(name)), seen.where)
            elif begins_dialog(message):
                scene.facts.record("header.sent", sent(message.get(name)), seen.where)


# -- digits by telephone-event


def _digits(scene: Scene, call: _Call) -> None:
    """Where telephone-event was lost between the caller's offer and the answer it got (RFC 4733 section 2.4.1).

    Digits that go by INFO need none (RFC 6086).
    """
    if any(finding.facts.get("method") == "info" for finding in scene.of("dtmf")):
        return
    steps = (
        (call.offer, ""),
        (call.reached, "the platform took it out of the offer to the AI"),
        (call.answered, "the AI did not take it"),
        (call.answer, "the platform took it out of the answer to the caller"),
    )
    seen = [(_has_events(message), lost, message) for message, lost in steps if message and b"m=audio" in message.body]
    for (had, _, _), (has, lost, message) in pairwise(seen):
        if had and not has:
            scene.facts.record("digits.negotiated", lost, message.start_line)
    if call.answer is not None and seen and all(has for has, _, _ in seen):
        scene.facts.record("digits.negotiated", "in all of them")


def _has_events(message: Message) -> bool:
    return re.search(rb"^a=rtpmap:\d+ telephone-event/", message.body, re.M | re.I) is not None
