"""Facts that the caller's own messages show: what its call was answered with, and what became of what it asked for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.calls.events import SipMessage
from harness.diagnosis.audio import direction_of, in_force, received, stays_held, tell_beside
from harness.diagnosis.derive import Scene
from harness.diagnosis.messages import (
    Seen,
    bye_outcome,
    changes_media,
    described,
    formats,
    is_within,
    of_phones,
    parse,
    said_by,
    sdp_of,
)
from harness.diagnosis.sdp import address, offered, own_reach, reach
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.sdp import Description, SdpError

#: What was asked for a shorter time than this before the case was over may still be under way.
_UNDER_WAY_S = 0.9
#: What the AI's side made of what it was asked within a call, where it did anything amiss; and where it did nothing.
NOT_TAKEN, TAKEN = ("refused", "unanswered"), "neither refused nor unanswered"


@dataclass(frozen=True)
class Exchange:
    """A request of the caller's and its final response; ``within`` a dialog, or beginning one."""

    request: Request
    sent: SipMessage
    response: Response | None
    answered: SipMessage | None
    within: bool


def tell(scene: Scene) -> None:
    """Make all of them known that can be."""
    for finding in scene.of("answered.acknowledged", role="caller"):
        scene.facts.record("ack.arrived", False if scene.failed(finding) else None, finding.actual)
    _cancel(scene)
    _prack(scene)
    _own_addresses(scene)
    exchanges = list(_of_the_caller(scene))
    for exchange in exchanges:
        where = tuple(scene.number_of(m) for m in (exchange.sent, exchange.answered) if m is not None)
        if exchange.response is not None:
            where += (exchange.response.start_line,)
        method = exchange.request.method
        if method == "INVITE" and not exchange.within:
            if scene.call is not None and exchange.sent.leg != scene.call.leg:
                continue  # of a call that a REFER asked for, or another caller's
            media = offered(exchange.request.body.decode("utf-8", "replace"))
            scene.facts.record("caller.offer", media, formats(exchange.request))
            if exchange.response is not None and exchange.response.is_success:
                descriptions = _described(scene, exchange.response)
                scene.facts.record("caller.answer", _answer(exchange.request, descriptions[0].message), *where)
                scene.facts.record("caller.held", stays_held(descriptions) or None, *where)
                newest = in_force(scene, "audio.to_ai", descriptions)
                if newest is not None:
                    named = f"c={address(newest.sdp)}, from {newest.remote}"
                    scene.facts.record("sdp.to_caller", reach(newest.sdp, newest.remote), newest.where, named)
                    tell_beside(scene, newest)
        elif method in ("INVITE", "UPDATE"):
            scene.facts.record("change.answer", _outcome(scene, exchange), *where)
        elif method == "BYE" and exchange.sent.at <= scene.over:
            scene.facts.record("hangup.answer", _outcome(scene, exchange), *where)
    for what, asked in (("change", changes_media), ("hangup", _is_bye)):
        if f"{what}.answer" in scene.facts:
            _at_ai(scene, f"{what}.at_ai", asked)


def _at_ai(scene: Scene, fact: str, asked: Callable[[Message], bool]) -> None:
    """What the AI's side made of such requests as came to it: a proxy hands the caller's on, and so do many SBCs."""
    for seen in (s for s in scene.at_ai if s.received and asked(s.message)):
        sent: list[Message] = []  #: by the AI until then
        finals = 0
        for answer in (s for s in scene.at_ai if not s.received):
            final = answer.message if answer.is_of(seen) else None
            if isinstance(final, Response) and final.is_final:
                finals += 1
                refused = bye_outcome(final, sent) == "refused" and not final.is_challenge
                scene.facts.record(fact, "refused" if refused else None, seen.where, answer.where, *said_by(final))
            sent.append(answer.message)
        scene.facts.record(fact, None if finals else "unanswered", seen.where)
    scene.facts.record(fact, TAKEN if scene.at_ai else None)


def _is_bye(message: Message) -> bool:
    return isinstance(message, Request) and message.method == "BYE"


def _own_addresses(scene: Scene) -> None:
    """Of the caller's leg, and of the one that alone hears nothing where an agent's phone and the caller's are connected."""
    if scene.call is not None:
        _own_address(scene, "sdp.caller", scene.call.leg)
    unheard = [f for f in scene.of("audio") if scene.failed(f) and direction_of(scene, f) == "audio.agent"]
    if len(unheard) == 1:
        _own_address(scene, "sdp.listener", unheard[0].listener)


def _own_address(scene: Scene, fact: str, leg: str | None) -> None:
    """Whether whom a leg's first SDP was sent to can reach the address that it names for audio; what has got there shows that."""
    for event in scene.messages(leg) if leg and not received(scene, leg) else ():
        message = parse(event.text) if event.direction == "sent" else None
        if message is not None and (sdp := sdp_of(message).decode("utf-8", "replace")):
            named = f"c={address(sdp)}, sent to {event.remote}"
            scene.facts.record(fact, own_reach(sdp, event.remote), scene.number_of(event), named)
            return


def _cancel(scene: Scene) -> None:
    """Whether the caller's CANCEL was answered (RFC 3261 section 9.2)."""
    for event, message in scene.received_by("caller"):
        if event.at <= scene.over:
            with contextlib.suppress(SipSyntaxError):
                if isinstance(message, Response) and message.cseq.method == "CANCEL" and message.is_success:
                    scene.facts.record("cancel.answer", "accepted", scene.number_of(event))


def _prack(scene: Scene) -> None:
    """Whether a reliable 18x came again after its PRACK, and no answer to that: then it has not arrived (RFC 3262 section 3)."""
    sent: dict[str, SipMessage] = {}  # by RSeq, CSeq number and method of the INVITE: the first PRACK for it
    repeated: list[tuple[SipMessage, SipMessage]] = []  # a PRACK, and the 18x that came after it
    for event in scene.messages(scene.call.leg) if scene.call else ():
        message = parse(event.text)
        with contextlib.suppress(SipSyntaxError):
            if isinstance(message, Request) and message.method == "PRACK" and event.direction == "sent":
                sent.setdefault(" ".join((message.get("RAck") or "").split()), event)
            elif isinstance(message, Response) and message.cseq.method == "PRACK":
                return  # an 18x that came again before was under way when the PRACK was sent
            elif isinstance(message, Response) and message.has("RSeq"):
                again = f"{message.get('RSeq')} {message.cseq.number} {message.cseq.method}"
                if again in sent:
                    repeated.append((sent[again], event))
    for prack, event in repeated:
        where = (scene.number_of(prack), scene.number_of(event))
        scene.facts.record("prack.lost", True, f"sent to {prack.remote}", *where)


def _of_the_caller(scene: Scene) -> Iterator[Exchange]:
    """The caller's requests but ACK, PRACK and CANCEL, each with its final response; challenges are none.

    The last of a kind comes first: what was refused and tried again is known by how it ended.
    """
    own = [(event, parsed) for event in scene.messages_of("caller") if (parsed := parse(event.text)) is not None]
    first: dict[tuple[str, int, str], tuple[SipMessage, Request]] = {}  # the others are retransmissions
    for sent, request in own:
        if (
            sent.direction == "sent"
            and isinstance(request, Request)
            and request.method not in ("ACK", "CANCEL", "PRACK")
        ):
            with contextlib.suppress(SipSyntaxError):
                first.setdefault((request.call_id, request.cseq.number, request.method), (sent, request))
    for key, (sent, request) in reversed(first.items()):
        answered, response = next(
            ((e, r) for e, r in own if e.direction == "received" and isinstance(r, Response) and _ends(r, key)),
            (None, None),
        )
        if response is not None and response.is_challenge:
            continue
        yield Exchange(request, sent, response, answered, is_within(request))


def _ends(response: Response, key: tuple[str, int, str]) -> bool:
    try:
        return response.is_final and (response.call_id, response.cseq.number, response.cseq.method) == key
    except SipSyntaxError:
        return False


def _outcome(scene: Scene, exchange: Exchange) -> str | None:
    if exchange.response is not None and exchange.request.method == "BYE":
        return bye_outcome(exchange.response, (message for _, message in scene.received_by("caller")))
    if exchange.response is not None:
        return "accepted" if exchange.response.is_success else "refused"
    return "none" if scene.over - exchange.sent.at > _UNDER_WAY_S else None


def _described(scene: Scene, answer: Response) -> list[Seen]:
    """What describes the far end's media: the 200, and its offers and answers since.

    A 200 without SDP has none to give where a 18x of the same dialog has answered the offer by then. A reliable one has to (RFC 3262
    section 5), and of any the first is to be taken for the answer (RFC 3261 section 13.2.1).
    """
    told = list(of_phones(scene.messages_of("caller"), scene.number_of))
    final = next(s for s in told if s.received and s.message.raw == answer.raw)
    early = (s for s in told if s.received and not sdp_of(answer) and _answers_early(s, answer))
    first = next(early, final)
    return described(first, told[told.index(first) + 1 :])


def _answers_early(seen: Seen, answer: Response) -> bool:
    message = seen.message
    with contextlib.suppress(SipSyntaxError):
        early = isinstance(message, Response) and 100 < message.status < 200 and bool(seen.sdp)
        return early and _dialog(message) == _dialog(answer)
    return False


def _dialog(response: Message) -> tuple[str, int, str, str | None]:
    """Of whom it is an answer, and to which INVITE."""
    return response.call_id, response.cseq.number, response.cseq.method, response.to.tag


def _answer(invite: Request, answer: Message) -> str | None:
    """What the answer's SDP makes of the offer (RFC 3264 section 6); None when the INVITE had no offer."""
    try:
        offered = Description.parse(invite.body).audio
    except SdpError:
        return None
    if offered is None:
        return None
    if not (sdp := sdp_of(answer)):
        return "no SDP"
    try:
        answered = Description.parse(sdp).audio
    except SdpError:
        return "an SDP that cannot be read"
    if answered is None:
        return "no audio"
    if _media(sdp) != _media(invite.body):
        return "another number of media lines"
    same = any(one.is_same(other) for one in answered.voice for other in offered.voice)
    return "usable" if same else "a codec that was not offered"


def _media(sdp: bytes) -> int:
    """How many m-lines a description has: an answer has as many as the offer (RFC 3264 section 6)."""
    return len(re.findall(rb"^m=", sdp, re.M))
