"""Legs of a call without a softphone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from harness.calls.events import Event, MarkHeard, SipMessage
from harness.phone.waiter import never_came

TOLD: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}


def leg(events: list[Event], messages: list[SipMessage] | None = None, direction: str = "outgoing") -> Any:
    """A leg with these events, in the order of time."""
    ordered = sorted(events, key=lambda event: event.at)

    def wait(goal: str, predicate: Callable[[Event], bool], within: float, since: float = 0.0, **_: Any) -> Event:
        for event in ordered:
            if event.at >= since and predicate(event):
                return event
        raise never_came(goal, within, "caller.1", "nothing", "")

    made = SimpleNamespace(id="caller.1", mark=7, successor=None, state="confirmed", direction=direction, wait=wait)
    made.events, made.messages = ordered, messages or []
    made.statistics, made.hangup = lambda: None, lambda: None
    return made


def heard(at: float, mark: int) -> MarkHeard:
    return MarkHeard(at=at, mark=mark, began=at, level_dbov=-20.0, quality=0.99, **TOLD)


def message(at: float, direction: str, start: str, to_tag: str, method: str = "INVITE") -> SipMessage:
    text = (
        f"{start}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n"
        f"To: <sip:b@example.com>{to_tag and f';tag={to_tag}'}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    where: Any = {"transport": "udp", "local": "192.0.2.9:5060", "remote": "192.0.2.1:5060", "direction": direction}
    return SipMessage(at=at, text=text, **where, **TOLD)
