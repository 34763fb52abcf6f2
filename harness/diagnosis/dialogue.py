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
from harness.sip.sdp import Crypto

#: A request that was sent less than this before the end of the case may still be answered.
UNDER_WAY_S = 0.9


def derive(scene: Scene) -> None:
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
    if scene.moment == "transfer" and "hangup.answer" in scene.facts:
        agents = [each.leg for each in scene.legs_of("agent") if each.leg is not None]
        answered = any(scene.events.legs[leg].answered_at is not None for leg in agents)
        scene.record("transfer.given_up", (not answered) if agents else None, *agents)
    for what, asks in (
        ("change", lambda m: m.changes_media),
        ("hangup", lambda m: m.is_request("BYE")),
    ):
        if f"{what}.answer" in scene.facts:
            _at_ai(scene, f"{what}.at_ai", asks)


def _requests(scene: Scene, messages: Sequence[CallMessage]) -> None:
    """What the caller's requests were answered. The last of a kind counts: one that was refused may
    have been repeated.
    """
    for exchange in reversed(exchanges(messages, without=("ACK", "CANCEL", "PRACK"))):
        request, answer = exchange.request, exchange.response
        where = (request.where, *((answer.where, answer.message.start_line) if answer else ()))
        if answer is not None and answer.is_challenge:
            if request.changes_media:
                scene.record("change.answer", "challenged", *where, leg=request.leg)
            continue
        if request.method == "INVITE" and not request.is_within:
            if (
                scene.call is None or request.leg == scene.call.leg
            ):  # else placed on a REFER, or another caller's
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
    asked, came = exchange.request, exchange.response
    answer = came.message if came else None
    if came is None or not isinstance(answer, Response):
        return "none" if scene.over - asked.time > UNDER_WAY_S else None
    if asked.method == "BYE":
        return bye_outcome(answer, [m for m in messages if m.received])
    if not answer.is_success:
        return "refused"
    waits = [finding.at for finding in scene.failed("phone.wait") if finding.subject == asked.leg]
    return "late" if any(asked.time < at < came.time for at in waits) else "accepted"


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
    # A 200 may lack SDP when a 18x of the same dialog has answered the offer. A reliable 18x must
    # do so (RFC 3262 section 5), and the first description counts as the answer (RFC 3261 section
    # 13.2.1).
    early = (m for m in messages if not answer.sdp and _answers_early(m, answer))
    first = next(early, answer)
    descriptions = described(first, messages[messages.index(first) + 1 :])
    scene.record("caller.answer", _answer(invite.sdp, first.sdp), *where, leg=leg)
    scene.record("caller.held", stays_held(descriptions) or None, *where, leg=leg)
    newest = in_force(scene, "audio.to_ai", descriptions)
    if newest is not None:
        named = f"c={address(newest.sdp)}, from {newest.remote}"
        scene.record(
            "sdp.to_caller", reach(newest.sdp, newest.remote), newest.where, named, leg=leg
        )
        record_beside(scene, newest)


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
    if len(re.findall("^m=", answer, re.M)) != len(re.findall("^m=", offer, re.M)):
        return "another number of media lines"  # an answer has as many as the offer
    if not any(one.is_same(other) for one in taken.voice for other in asked.voice):
        return "a codec that was not offered"
    if taken.protocol.upper() != asked.protocol.upper():
        return "another profile"  # RFC 3264 section 6.1
    if taken.is_secure and not _fits(taken.crypto, asked.crypto):
        return "a key that was not offered"
    is_ip6 = [":" in (address(body) or "") for body in (offer, answer)]
    return "usable" if is_ip6[0] is is_ip6[1] else "another address family"


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
                scene.record(
                    fact, "refused" if refused else None, seen.where, answer.where, *said_by(final)
                )
            sent.append(answer)
        scene.record(fact, None if is_answered else "unanswered", seen.where)
    scene.record(fact, "neither refused nor unanswered" if scene.at_ai else None)


def _prack(scene: Scene) -> None:
    """Whether a reliable 18x was repeated after its PRACK, which had no answer: the PRACK did not
    arrive (RFC 3262 section 3).
    """
    sent: dict[str, CallMessage] = {}  # by RSeq, and CSeq number and method of the INVITE
    repeated: list[tuple[CallMessage, CallMessage]] = []
    for seen in scene.own:
        if not seen.received and seen.is_request("PRACK"):
            sent.setdefault(" ".join((seen.message.get("RAck") or "").split()), seen)
        elif seen.status and seen.method == "PRACK":
            return  # an earlier copy of the 18x was in transit when the PRACK left
        elif seen.status and seen.message.has("RSeq"):
            prack = sent.get(f"{seen.message.get('RSeq')} {seen.number} {seen.method}")
            repeated += [(prack, seen)] if prack else []
    for prack, seen in repeated:
        scene.record("prack.lost", True, f"sent to {prack.remote}", prack.where, seen.where)


def _own_address(scene: Scene) -> None:
    """Whether the far end can reach the address in the caller's own SDP. RTP that arrived shows
    that it can.
    """
    if scene.call is None or received(scene, scene.call.leg or ""):
        return
    first = next((m for m in scene.own if not m.received and m.sdp), None)
    if first is not None:
        named = f"c={address(first.sdp)}, sent to {first.remote}"
        scene.record("sdp.caller", own_reach(first.sdp, first.remote), first.where, named)
