"""How a call of ours was answered, as its own messages show it (RFC 3261 section 13)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.events import SipMessage
from harness.calls.verdict import Finding
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response

#: What was under way when our ACK left has arrived by then; copies that come closer together are one (section 17.1.1.1: T1 is 0.5 s).
_ON_ITS_WAY_S = 0.3
#: One ACK of an INVITE may be lost on any network, or late (section 13.3.1.4 repeats the 200 for that); the next one hardly.
_MOST_REPEATED = 1


@check("answered.once")
def answered_once(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """One party answered the INVITE that began the call, not several (section 13.2.2.4); None when nobody did."""
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
    """Our ACK arrived: the 200 was not sent again and again after it; None when there was nothing to acknowledge.

    Where no ACK left at all, as to a Contact that cannot be reached from here, it is the 200 itself after which it comes again. An
    ACK has the CSeq number of its INVITE (section 17.1.1.3): that of a refused attempt, as of one that was challenged, is no 200's.
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
        + ("the ACK" if acknowledges else "the first time: no ACK of this phone's has left")
        if repeated
        else "it was not",
        measured=measurement.Repeated(repeated=len(repeated)),
    )


def answer_to_bye(messages: Sequence[SipMessage]) -> Response | None:
    """The final response to the BYE that we sent; a challenge only where no other followed. None: none came."""
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
    """Whether the far end has sent a BYE, and we none: its own has ended the call (RFC 3261 section 15.1.2)."""
    byes = {event.direction for event in messages if event.text.startswith("BYE ")}
    return byes == {"received"}


def accepted_to_bye(messages: Sequence[SipMessage]) -> tuple[int, ...]:
    """With what our BYE may be answered: 481 as well where the far end's crossed it (sections 15.1.1 and 15.1.2)."""
    crossed = any(event.direction == "received" and event.text.startswith("BYE ") for event in messages)
    return (200, 481) if crossed else (200,)


def _acks(messages: Sequence[SipMessage]) -> dict[int, list[float]]:
    """When our ACKs left, by the CSeq number of their INVITE."""
    sent: dict[int, list[float]] = {}
    for event in messages:
        if event.direction == "sent" and event.text.startswith("ACK "):
            sent.setdefault(Message.parse(event.text).cseq.number, []).append(event.at)
    return sent


def _answers(messages: Sequence[SipMessage]) -> Iterator[tuple[SipMessage, Response]]:
    """The 2xx to INVITEs of ours, in their order."""
    for event in messages:
        if event.direction == "received" and event.text.startswith("SIP/2.0 2"):
            try:
                message = Message.parse(event.text)
                if isinstance(message, Response) and message.cseq.method == "INVITE":
                    yield event, message
            except SipSyntaxError:
                continue


def _is_first(answer: Response, messages: Sequence[SipMessage]) -> bool:
    """Whether it answers an INVITE that was to begin a dialog: one in a dialog keeps its tag by definition."""
    for event in messages:
        if event.direction == "sent" and event.text.startswith("INVITE "):
            message = Message.parse(event.text)
            if isinstance(message, Request) and message.cseq.number == answer.cseq.number:
                return message.to.tag is None
    return False
