"""Checks of a call's dialog, from its SIP messages: how it was answered and ended (RFC 3261
sections 13 and 15), reliable provisional responses (RFC 3262), and session timers (RFC 4028).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.case import measurement
from harness.case.checks.finding import judged
from harness.case.checks.registry import check
from harness.case.events import Event, SipMessage
from harness.case.model import Call, message_of, messages_of, seconds_of
from harness.case.verdict import Finding
from harness.sip.message import Message, Request, Response

#: A 200 that was in transit when the ACK left arrives within this time. Copies closer together count once (section 17.1.1.1: T1 is
#: 0.5 s).
_ON_ITS_WAY_S = 0.3
#: Any network may lose or delay one ACK, so section 13.3.1.4 repeats the 200. A second loss is
#: unlikely.
_MOST_REPEATED = 1


@check("answered.once")
def answered_once(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """One party, not several, answered the initial INVITE (section 13.2.2.4); None when it had no
    answer.
    """
    tags = Call(messages).parties
    if not tags:
        return None
    return judged(
        "answered.once",
        leg,
        len(tags) == 1,
        expected="one party answers",
        actual=f"{len(tags)} did: 200 came with {len(tags)} different tags"
        if len(tags) > 1
        else "one did",
        measured=measurement.Answers(parties=len(tags)),
    )


@check("answered.acknowledged")
def acknowledged(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """The ACK arrived: the far end stopped repeating the 200. None when there was nothing to
    acknowledge.

    If no ACK left, for example because the Contact cannot be reached, repetitions count from the
    first 200. An ACK has the CSeq number of its INVITE (section 17.1.1.3), which excludes the ACKs
    of refused and challenged attempts.
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


@check("answered.acknowledged.here")
def own_answer_acknowledged(leg: str, messages: Sequence[SipMessage]) -> Finding | None:
    """The ACK of the 200 that this phone sent arrived (section 13.3.1.4). None where it sent none,
    or was told meanwhile to give the call up, or did not have to repeat it.
    """
    call = Call(messages)
    sent = [m for m in call.sent if m.accepts("INVITE")]
    if any(m.is_request("CANCEL") for m in call.received):
        return None
    acknowledged = {m.number for m in call.received if m.is_request("ACK")}
    copies = [m for m in sent if m.number not in acknowledged]
    if not sent or len(copies) == 1:
        return None
    return judged(
        "answered.acknowledged",
        leg,
        not copies,
        expected="the 200 of this phone is acknowledged",
        actual=f"it was sent {len(copies)} times within {copies[-1].time - copies[0].time:.1f} s, and no ACK came"
        if copies
        else "it was",
        measured=measurement.Repeated(repeated=max(0, len(copies) - 1)),
    )


def answer_to_bye(messages: Sequence[SipMessage]) -> Response | None:
    """The final response to the phone's BYE, None when none came. A challenge counts only if no
    other response followed.
    """
    return Call(messages).answer_to_bye


def ended_by_the_other(messages: Sequence[SipMessage]) -> bool:
    """Whether only the far end sent a BYE, which ended the call (RFC 3261 section 15.1.2)."""
    return {bye.received for bye in Call(messages).byes} == {True}


def accepted_to_bye(messages: Sequence[SipMessage]) -> tuple[int, ...]:
    """The valid responses to the phone's BYE: also 481 if a BYE of the far end crossed it (sections
    15.1.1 and 15.1.2).
    """
    return (200, 481) if any(bye.received for bye in Call(messages).byes) else (200,)


# -- reliable provisional responses


@check("prack")
def reliable_provisionals(
    subject: str, messages: Sequence[SipMessage], instead: str | None = None
) -> Finding:
    """A provisional response other than 100 was sent reliably, and its PRACK was answered 200.

    If the INVITE requires 100rel, every one must be reliable: a UAS that is unwilling answers 420
    (section 3). ``instead``: the event that came in place of the 200 to the PRACK.
    """
    call = Call(messages)
    reliable = [response.status for response in call.provisional if _is_reliable(response)]
    others = [response.status for response in call.provisional if not _is_reliable(response)]
    required = call.requires_reliability
    if reliable:
        answered = f"no 200 to the PRACK: {instead}" if instead else "200 to the PRACK"
        actual = f"{_listed(reliable)} with RSeq, and {answered}"
        actual += (
            f"; and {_listed(others)} without Require: 100rel and RSeq"
            if others and required
            else ""
        )
    elif others:
        actual = f"{_listed(others)} without Require: 100rel and RSeq, so that there was nothing to acknowledge"
    else:
        actual = "no provisional response" + (f": {instead}" if instead else "")
    return judged(
        "prack",
        subject,
        bool(reliable) and instead is None and not (required and others),
        expected=f"{'every' if required else 'a'} provisional response with RSeq, acknowledged by PRACK",
        actual=actual,
        measured=measurement.Provisional(
            provisional=tuple(response.status for response in call.provisional),
            reliable=tuple(reliable),
        ),
    )


def _is_reliable(response: Response) -> bool:
    """Whether the response must be acknowledged. It needs both headers (section 3)."""
    return response.has("RSeq") and "100rel" in response.tokens("Require")


def _listed(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes))


# -- session timers


#: A refresh comes well after the set-up: pjsua sends a re-INVITE right after some answers.
SETTLED_S = 5.0
#: Methods that refresh a session (section 7.4).
_REFRESHES = ("INVITE", "UPDATE")
#: The shortest session interval permitted (section 4).
SHORTEST_S = 90


@check("session.interval")
def interval(subject: str, messages: Sequence[SipMessage]) -> Finding:
    """The 200 agrees to a session interval (section 9). Every INVITE after a 422 asked for at least
    its Min-SE (sections 6, 7.1).
    """
    least = refused = 0
    asked: Message | None = None
    wrong: list[str] = []
    answer: Message | None = None
    for seen in messages_of(messages):
        message = seen.message
        if seen.answers("INVITE") == 200:
            answer = message
            break
        if seen.status == 422:
            least = max(least, seconds_of(message, "Min-SE") or least)
            refused += 1
        elif not seen.received and seen.is_request("INVITE"):
            asked = message
            if (seconds_of(message, "Session-Expires") or 0) < least:
                wrong.append(f"asked for again with less than the Min-SE of {least} s")
    agreed = seconds_of(answer, "Session-Expires") if answer else None
    if answer is not None and agreed is not None:
        wrong += _problems(answer, agreed, asked, least)
    said = "the 200 names none" if agreed is None else ", ".join([f"{agreed} s", *wrong])
    return judged(
        "session.interval",
        subject,
        agreed is not None and not wrong,
        expected="Session-Expires in the 200: with a refresher, no longer than asked for, and no shorter than any Min-SE",
        actual=said + (f", after {refused}× 422 with Min-SE {least} s" if refused else ""),
        measured=measurement.SessionInterval(agreed_s=agreed, min_se_s=least, refused=refused),
    )


def _problems(answer: Message, agreed: int, asked: Message | None, least: int) -> Iterator[str]:
    wanted = seconds_of(asked, "Session-Expires") if asked else None
    if wanted is not None and agreed > wanted:
        yield f"longer than the {wanted} s asked for"
    least = max(SHORTEST_S, least, (seconds_of(asked, "Min-SE") if asked else None) or SHORTEST_S)
    if agreed < least:
        yield f"shorter than {least} s"
    parameters = (answer.get("Session-Expires") or "").lower().replace(" ", "").split(";")[1:]
    if not {"refresher=uac", "refresher=uas"} & set(parameters):
        yield "which does not say who refreshes"
    if "refresher=uac" in parameters and "timer" not in answer.tokens("Require"):
        yield "refreshed by the caller without Require: timer"


def agreed_interval(messages: Sequence[SipMessage]) -> int | None:
    """The interval in the 200 to the INVITE, in seconds."""
    return Call(messages).session_interval


def given_up_after(agreed_s: int) -> float:
    """Seconds without a refresh after which the waiting side ends the session (section 10).

    Section 10 recommends a refresh after half of the interval; a later one is valid until this
    time.
    """
    return agreed_s - min(32.0, agreed_s / 3)


def accepts_refresh(event: Event, since: Sequence[SipMessage]) -> bool:
    """Whether the event is a 2xx with a session interval to a re-INVITE or UPDATE among ``since``,
    sent by either side.

    A refused refresh does not count (section 10); a 2xx without an interval ends the timer (section
    7.2).
    """
    answer = message_of(event)
    if answer is None or answer.method not in _REFRESHES or not 200 <= answer.status < 300:
        return False
    asked = (
        m
        for m in messages_of(since)
        if m.received != answer.received and isinstance(m.message, Request)
    )
    return seconds_of(answer.message, "Session-Expires") is not None and any(
        m.is_of(answer) for m in asked
    )
