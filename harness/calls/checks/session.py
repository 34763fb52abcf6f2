"""Check of session timers (RFC 4028), from a leg's SIP messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.events import Event, SipMessage
from harness.calls.model import Call, message_of, messages_of, seconds_of
from harness.calls.verdict import Finding
from harness.sip.message import Message, Request

#: A refresh comes well after the set-up: pjsua sends a re-INVITE right after some answers.
SETTLED_S = 5.0
#: Methods that refresh a session (section 7.4).
_REFRESHES = ("INVITE", "UPDATE")
#: The shortest session interval permitted (section 4).
SHORTEST_S = 90


@check("session.interval")
def interval(subject: str, messages: Sequence[SipMessage]) -> Finding:
    """The 200 agrees to a session interval (section 9). Every INVITE after a 422 asked for at least its Min-SE (sections 6, 7.1)."""
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

    Section 10 recommends a refresh after half of the interval; a later one is valid until this time.
    """
    return agreed_s - min(32.0, agreed_s / 3)


def accepts_refresh(event: Event, since: Sequence[SipMessage]) -> bool:
    """Whether the event is a 2xx with a session interval to a re-INVITE or UPDATE among ``since``, sent by either side.

    A refused refresh does not count (section 10); a 2xx without an interval ends the timer (section 7.2).
    """
    answer = message_of(event)
    if answer is None or answer.method not in _REFRESHES or not 200 <= answer.status < 300:
        return False
    asked = (m for m in messages_of(since) if m.received != answer.received and isinstance(m.message, Request))
    return seconds_of(answer.message, "Session-Expires") is not None and any(m.is_of(answer) for m in asked)
