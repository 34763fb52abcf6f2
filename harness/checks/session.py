"""Session timers (RFC 4028), as a leg's own messages show them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.finding import judged
from harness.events import Event, SipMessage
from harness.sip.message import Message, Request, Response
from harness.verdict import Finding

#: A refresh is a request well after the set-up: pjsua sends a re-INVITE of its own right after some answers.
SETTLED_S = 5.0


def interval(subject: str, messages: Sequence[SipMessage]) -> Finding:
    """A session interval was agreed; every INVITE after a 422 asked for at least its Min-SE (sections 6 and 7.1)."""
    least = 0
    honoured = True
    refused = 0
    for event in messages:
        message = Message.parse(event.text)
        if isinstance(message, Response) and message.status == 422:
            least = max(least, _seconds(message, "Min-SE") or 0)
            refused += 1
        elif isinstance(message, Request) and message.method == "INVITE" and event.direction == "sent" and least:
            honoured = honoured and (_seconds(message, "Session-Expires") or 0) >= least
    agreed = agreed_interval(messages)
    return judged(
        "session.interval",
        subject,
        agreed is not None and honoured and (refused == 0 or agreed >= least),
        expected="Session-Expires in the 200, and no shorter than any Min-SE",
        actual=("the 200 names none" if agreed is None else f"{agreed} s")
        + (f", after {refused}× 422 with Min-SE {least} s" if refused else ""),
        facts={"agreed_s": agreed, "min_se_s": least, "refused": refused},
    )


def agreed_interval(messages: Sequence[SipMessage]) -> int | None:
    """The interval in the 200 to the INVITE, in seconds."""
    for event in messages:
        message = Message.parse(event.text)
        if isinstance(message, Response) and message.status == 200 and message.cseq.method == "INVITE":
            return _seconds(message, "Session-Expires")
    return None


def is_refresh(event: Event) -> bool:
    """Whether the event is a re-INVITE or an UPDATE, of either side."""
    return isinstance(event, SipMessage) and event.text.startswith(("INVITE ", "UPDATE "))


def _seconds(message: Message, name: str) -> int | None:
    value = (message.get(name) or "").split(";")[0].strip()
    return int(value) if value.isdigit() else None
