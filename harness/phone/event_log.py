"""Events as text lines. A failed wait quotes them to show which events arrived instead."""

from __future__ import annotations

from collections.abc import Sequence

from harness.calls.events import Event, Listened, PhoneLost, RtpStatistics, SipMessage, to_plain


def lines(events: Sequence[Event]) -> str:
    """One line per event, with the seconds since the first one; RTP statistics and audio pulses are left out."""
    if not events:
        return "nothing happened"
    begin = min(event.at for event in events)
    return "\n".join(
        f"{event.at - begin:8.3f}  {_line(event)}"
        for event in events
        if not isinstance(event, Listened | RtpStatistics)
    )


def _line(event: Event) -> str:
    who = event.leg or event.phone
    if isinstance(event, SipMessage):
        arrow = "→" if event.direction == "sent" else "←"
        unread = f" (not read: {event.unread})" if event.unread else ""
        return f"{who} {arrow} {event.transport} {event.remote} {event.text.splitlines()[0]}{unread}"
    facts = {name: value for name, value in to_plain(event).items() if name not in ("kind", "at", "phone", "leg")}
    if isinstance(event, PhoneLost):
        del facts["log"]
    return f"{who} {type(event).__name__} " + " ".join(f"{name}={value}" for name, value in facts.items())
