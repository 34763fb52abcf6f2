"""Facts that the caller's messages show: how its call was answered, and what became of its
requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.case.model import CallMessage, Exchange, bye_outcome, described, exchanges
from harness.diagnosis.audio import in_force, received, record_beside, stays_held
from harness.diagnosis.scene import Scene, offered_audio, said_by
from harness.diagnosis.sdp import address, audio_of, offered, own_reach, reach
from harness.sip.message import Response
from harness.sip.sdp import Codec, Crypto, Media

#: A request that was sent less than this before the end of the case may still be answered.
UNDER_WAY_S = 0.9


def derive(scene: Scene) -> None:
    """How the AI's side answered a request is asked only where the caller's own request shows that
    there is something to explain.
    """
    for finding in scene.failed("answered.acknowledged", role="caller"):
        scene.record("ack.arrived", False, finding.actual)
    for finding in scene.failed("answered.once"):
        scene.record("answers", "two", finding.actual)
    for finding in scene.failed("answered.passed_on"):
        scene.record("answer.held", True, finding.actual)
    messages = scene.messages_of("caller")
    for seen in messages:
        if seen.received and seen.time <= scene.over and seen.accepts("CANCEL"):
            scene.record("cancel.answer", "accepted", seen.where)
    _prack(scene)
    _own_address(scene)
    _requests(scene, messages)
    _given_up(scene)
    if "change.answer" in scene.facts:
        _at_ai(scene, "change.at_ai", lambda m: m.changes_media)
    if "hangup.answer" in scene.facts:
        _at_ai(scene, "hangup.at_ai", lambda m: m.is_request("BYE"))


def _given_up(scene: Scene) -> None:
    """Whether the caller hung up before any agent had answered the transferred call."""
    if scene.moment != "transfer" or "hangup.answer" not in scene.facts:
        return
    agents = [each.leg for each in scene.legs_of("agent") if each.leg is not None]
    if not agents:
        return
    answered = any(scene.events.legs[leg].answered_at is not None for leg in agents)
    scene.record("transfer.given_up", not answered, *agents)


def _requests(scene: Scene, messages: Sequence[CallMessage]) -> None:
    """What the caller's requests were answered. The last of a kind counts: one that was refused may
    have been repeated.
    """
    for exchange in reversed(exchanges(messages, without=("ACK", "CANCEL", "PRACK"))):
        request, answer = exchange.request, exchange.response
        where = [request.where]
        if answer is not None:
            where += [answer.where, answer.message.start_line]
        if answer is not None and answer.is_challenge:
            if request.changes_media:
                scene.record("change.answer", "challenged", *where, leg=request.leg)
            continue
        if request.method == "INVITE" and not request.is_within:
            # One of another leg was placed on a REFER, or is another caller's.
            if scene.call is None or request.leg == scene.call.leg:
                _offer(scene, messages, exchange, where)
        elif request.method in ("INVITE", "UPDATE"):
            outcome = _outcome(scene, exchange, messages)
            scene.record("change.answer", outcome, *where, leg=request.leg)
        elif request.method == "INFO":
            refused = answer is not None and answer.status >= 300
            scene.record("digits.info", "refused" if refused else None, *where, leg=request.leg)
        elif request.method == "BYE" and request.time <= scene.over:
            outcome = _outcome(scene, exchange, messages)
            scene.record("hangup.answer", outcome, *where, leg=request.leg)


def _outcome(scene: Scene, exchange: Exchange, messages: Sequence[CallMessage]) -> str | None:
    """What became of a request within the call: ``late`` if its answer came only after a phone had
    given up waiting; None if it may still be answered.
    """
    asked, came = exchange.request, exchange.response
    answer = came.message if came else None
    if came is None or not isinstance(answer, Response):
        return "none" if scene.over - asked.time > UNDER_WAY_S else None
    if asked.method == "BYE":
        return bye_outcome(answer, [m for m in messages if m.received])
    if not answer.is_success:
        return "refused"
    for finding in scene.failed("phone.wait"):
        if finding.subject == asked.leg and asked.time < finding.at < came.time:
            return "late"
    return "accepted"


def _offer(
    scene: Scene, messages: Sequence[CallMessage], exchange: Exchange, where: Sequence[str]
) -> None:
    """What the caller's INVITE offered, and how its 200 and later messages describe the far end's
    media.
    """
    invite, answer = exchange.request, exchange.response
    leg = invite.leg
    scene.record("caller.offer", offered(invite.sdp), offered_audio(invite.message), leg=leg)
    if answer is None or answer.status >= 300:
        return
    first = _first_description(messages, answer)
    descriptions = described(first, messages[messages.index(first) + 1 :])
    scene.record("caller.answer", _answer(invite.sdp, first.sdp), *where, leg=leg)
    scene.record("caller.held", stays_held(descriptions) or None, *where, leg=leg)
    newest = in_force(scene, "audio.to_ai", descriptions)
    if newest is None:
        return
    reached = reach(newest.sdp, newest.remote)
    named = f"c={address(newest.sdp)}, from {newest.remote}"
    scene.record("sdp.to_caller", reached, newest.where, named, leg=leg)
    record_beside(scene, newest)


def _first_description(messages: Sequence[CallMessage], answer: CallMessage) -> CallMessage:
    """The message that answers the offer.

    A 200 may lack SDP when a 18x of the same dialog has answered the offer. A reliable 18x must do
    so (RFC 3262 section 5), and the first description counts as the answer (RFC 3261 section
    13.2.1).
    """
    if answer.sdp:
        return answer
    early = (seen for seen in messages if _answers_early(seen, answer))
    return next(early, answer)


def _answers_early(seen: CallMessage, answer: CallMessage) -> bool:
    early = seen.received and 100 < seen.status < 200 and bool(seen.sdp)
    return early and seen.is_of(answer) and seen.to_tag == answer.to_tag


def _answer(offer: str, answer: str) -> str | None:
    """What the answer's SDP makes of the offer (RFC 3264 section 6); None if the INVITE had no
    offer.
    """
    asked, taken = audio_of(offer), audio_of(answer)
    if asked is None:
        return None
    if taken is None:
        return "no audio" if answer else "no SDP"
    if _media_lines(answer) != _media_lines(offer):
        return "another number of media lines"  # an answer has as many as the offer
    if not _has_offered_codec(taken, asked):
        return "a codec that was not offered"
    if taken.protocol.upper() != asked.protocol.upper():
        return "another profile"  # RFC 3264 section 6.1
    if taken.is_secure and not _fits(taken.crypto, asked.crypto):
        return "a key that was not offered"
    return "usable" if _is_ip6(answer) is _is_ip6(offer) else "another address family"


def _media_lines(body: str) -> int:
    return len(re.findall("^m=", body, re.M))


def _is_ip6(body: str) -> bool:
    return ":" in (address(body) or "")


def _has_offered_codec(taken: Media, asked: Media) -> bool:
    def was_offered(codec: Codec) -> bool:
        return any(codec.is_same(other) for other in asked.voice)

    return any(map(was_offered, taken.voice))


def _fits(taken: Sequence[Crypto], asked: Sequence[Crypto]) -> bool:
    """Whether an answer has one key, with tag and suite of one that was offered (RFC 4568 section
    5.1.2).
    """
    offered = {(crypto.tag, crypto.suite) for crypto in asked}
    return len(taken) == 1 and (taken[0].tag, taken[0].suite) in offered


def _at_ai(scene: Scene, fact: str, asks: Callable[[CallMessage], bool]) -> None:
    """How the AI's side answered such requests, which proxies and many SBCs pass on from the
    caller.
    """
    for seen in filter(asks, scene.got_by_ai):
        sent: list[CallMessage] = []
        is_answered = False
        for answer in scene.sent_by_ai:
            final = answer.message
            if isinstance(final, Response) and final.is_final and answer.is_of(seen):
                is_answered = True
                refused = bye_outcome(final, sent) == "refused" and not final.is_challenge
                where = (seen.where, answer.where, *said_by(final))
                scene.record(fact, "refused" if refused else None, *where)
            sent.append(answer)
        scene.record(fact, None if is_answered else "unanswered", seen.where)
    if scene.at_ai:
        scene.record(fact, "neither refused nor unanswered")


def _prack(scene: Scene) -> None:
    """Whether a reliable 18x was repeated after its PRACK, which had no answer: the PRACK did not
    arrive (RFC 3262 section 3).
    """
    sent: dict[str, CallMessage] = {}  # by RSeq, and CSeq number and method of the INVITE
    repeated: list[tuple[CallMessage, CallMessage]] = []
    for seen in scene.own:
        if not seen.received and seen.is_request("PRACK"):
            acknowledged = seen.message.get("RAck") or ""
            sent.setdefault(" ".join(acknowledged.split()), seen)
        elif seen.status and seen.method == "PRACK":
            return  # an earlier copy of the 18x was in transit when the PRACK left
        elif seen.status and seen.message.has("RSeq"):
            prack = sent.get(f"{seen.message.get('RSeq')} {seen.number} {seen.method}")
            if prack is not None:
                repeated.append((prack, seen))
    for prack, seen in repeated:
        scene.record("prack.lost", True, f"sent to {prack.remote}", prack.where, seen.where)


def _own_address(scene: Scene) -> None:
    """Whether the far end can reach the address in the caller's own SDP. RTP that arrived shows
    that it can.
    """
    if scene.call is None or received(scene, scene.call.leg or ""):
        return
    for seen in scene.own:
        if seen.sdp and not seen.received:
            reached = own_reach(seen.sdp, seen.remote)
            named = f"c={address(seen.sdp)}, sent to {seen.remote}"
            scene.record("sdp.caller", reached, seen.where, named)
            return
