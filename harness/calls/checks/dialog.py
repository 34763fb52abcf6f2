"""Checks of how an outgoing call was answered and ended, from its SIP messages (RFC 3261 sections 13 and 15)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.events import SipMessage
from harness.calls.verdict import Finding
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response

#: A 200 that was in transit when the ACK left arrives within this time. Copies closer together count once (section 17.1.1.1: T1 is
#: 0.5 s).
_ON_ITS_WAY_S = 0.3
#: Any network may lose or delay one ACK, so section 13.3.1.4 repeats the 200. A second loss is unlikely.
_MOST_REPEATED = 1


@check("answered.once")
def answered_once(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """One party, not several, answered the initial INVITE (section 13.2.2.4); None when it had no answer."""
    tags = list(dict.fromkeys(answer.to.tag or "" for _, answer in _answers(messages) if _is_first(answer, messages)))
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
    copies: dict[tuple[int, str], list[float]] = {}
    sent = _acks(messages)
    first: dict[tuple[int, str], float] = {}
    last: dict[tuple[int, str], float] = {}
    for event, answer in _answers(messages):
        key = (answer.cseq.number, answer.to.tag or "")
        begun = first.setdefault(key, event.at)
        acks = sent.get(answer.cseq.number, [])
        since = next((at for at in acks if at >= begun), None) if acks else begun
        apart = event.at - last.get(key, event.at) > _ON_ITS_WAY_S
        last[key] = event.at
        if since is not None and apart and event.at > since + _ON_ITS_WAY_S:
            copies.setdefault(key, []).append(event.at - since)
    repeated = max(copies.values(), key=len, default=[])
    acknowledges = any(number in sent for number, _ in first)
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
    found: Response | None = None
    for event in messages:
        if event.direction == "received" and event.text.startswith("SIP/2.0 "):
            message = Message.parse(event.text)
            if not isinstance(message, Response) or not message.is_final or message.cseq.method != "BYE":
                continue
            if not message.is_challenge:
                return message
            found = message
    return found


def ended_by_the_other(messages: Sequence[SipMessage]) -> bool:
    """Whether only the far end sent a BYE, which ended the call (RFC 3261 section 15.1.2)."""
    byes = {event.direction for event in messages if event.text.startswith("BYE ")}
    return byes == {"received"}


def accepted_to_bye(messages: Sequence[SipMessage]) -> tuple[int, ...]:
    """The valid responses to the phone's BYE: also 481 if a BYE of the far end crossed it (sections 15.1.1 and 15.1.2)."""
    crossed = any(event.direction == "received" and event.text.startswith("BYE ") for event in messages)
    return (200, 481) if crossed else (200,)


def _acks(messages: Sequence[SipMessage]) -> dict[int, list[float]]:
    """Times of the ACKs sent, by the CSeq number of their INVITE."""
    sent: dict[int, list[float]] = {}
    for event in messages:
        if event.direction == "sent" and event.text.startswith("ACK "):
            sent.setdefault(Message.parse(event.text).cseq.number, []).append(event.at)
    return sent


def _answers(messages: Sequence[SipMessage]) -> Iterator[tuple[SipMessage, Response]]:
    """The 2xx received to INVITEs, in order."""
    for event in messages:
        if event.direction == "received" and event.text.startswith("SIP/2.0 2"):
            try:
                message = Message.parse(event.text)
                if isinstance(message, Response) and message.cseq.method == "INVITE":
                    yield event, message
            except SipSyntaxError:
                continue


def _is_first(answer: Response, messages: Sequence[SipMessage]) -> bool:
    """Whether the answer is to an initial INVITE. A re-INVITE's answer keeps the dialog's tag by definition."""
    for event in messages:
        if event.direction == "sent" and event.text.startswith("INVITE "):
            message = Message.parse(event.text)
            if isinstance(message, Request) and message.cseq.number == answer.cseq.number:
                return message.to.tag is None
    return False
