"""Checks of how an outgoing call was answered and ended, from its SIP messages (RFC 3261 sections 13 and 15)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.events import SipMessage
from harness.calls.model import Call
from harness.calls.verdict import Finding
from harness.sip.message import Response

#: A 200 that was in transit when the ACK left arrives within this time. Copies closer together count once (section 17.1.1.1: T1 is
#: 0.5 s).
_ON_ITS_WAY_S = 0.3
#: Any network may lose or delay one ACK, so section 13.3.1.4 repeats the 200. A second loss is unlikely.
_MOST_REPEATED = 1


@check("answered.once")
def answered_once(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """One party, not several, answered the initial INVITE (section 13.2.2.4); None when it had no answer."""
    tags = Call(messages).parties
    if not tags:
        return None
    return judged(
        "answered.once",
        leg,
        len(tags) == 1,
        expected="one party answers",
        actual=f"{len(tags)} did: 200 came with {len(tags)} different tags" if len(tags) > 1 else "one did",
        measured=measurement.Answers(parties=len(tags)),
    )


@check("answered.acknowledged")
def acknowledged(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """The ACK arrived: the far end stopped repeating the 200. None when there was nothing to acknowledge.

    If no ACK left, for example because the Contact cannot be reached, repetitions count from the first 200. An ACK has the CSeq
    number of its INVITE (section 17.1.1.3), which excludes the ACKs of refused and challenged attempts.
    """
    call = Call(messages)
    acks: dict[int, list[float]] = {}  # sent, by the CSeq number of their INVITE
    for ack in call.sent:
        if ack.is_request("ACK"):
            acks.setdefault(ack.number, []).append(ack.time)
    first: dict[tuple[int, str], float] = {}
    last: dict[tuple[int, str], float] = {}
    copies: dict[tuple[int, str], list[float]] = {}
    for answer in call.answers:
        key, at = (answer.number, answer.message.to.tag or ""), answer.time
        begun = first.setdefault(key, at)
        own = acks.get(answer.number, [])
        since = next((sent for sent in own if sent >= begun), None) if own else begun
        apart = at - last.get(key, at) > _ON_ITS_WAY_S
        last[key] = at
        if since is not None and apart and at > since + _ON_ITS_WAY_S:
            copies.setdefault(key, []).append(at - since)
    repeated = max(copies.values(), key=len, default=[])
    acknowledges = any(number in acks for number, _ in first)
    if not first or (not acknowledges and len(repeated) <= _MOST_REPEATED):
        return None
    return judged(
        "answered.acknowledged",
        leg,
        len(repeated) <= _MOST_REPEATED,
        expected="the 200 is not repeated once it is acknowledged",
        actual=f"it came again {', '.join(f'{seconds:.1f}' for seconds in repeated)} s after "
        + ("the ACK" if acknowledges else "the first time: this phone sent no ACK")
        if repeated
        else "it was not",
        measured=measurement.Repeated(repeated=len(repeated)),
    )


def answer_to_bye(messages: Sequence[SipMessage]) -> Response | None:
    """The final response to the phone's BYE, None when none came. A challenge counts only if no other response followed."""
    return Call(messages).answer_to_bye


def ended_by_the_other(messages: Sequence[SipMessage]) -> bool:
    """Whether only the far end sent a BYE, which ended the call (RFC 3261 section 15.1.2)."""
    return {bye.received for bye in Call(messages).byes} == {True}


def accepted_to_bye(messages: Sequence[SipMessage]) -> tuple[int, ...]:
    """The valid responses to the phone's BYE: also 481 if a BYE of the far end crossed it (sections 15.1.1 and 15.1.2)."""
    return (200, 481) if any(bye.received for bye in Call(messages).byes) else (200,)
