"""Events as a phone tells of them, of which a test says only what it is about."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from harness.case.events import RtpStatistics, SipMessage

_NOTHING = {field.name: 0 for field in fields(RtpStatistics) if field.default is MISSING}


def sip_message(
    direction: str, text: str, at: float = 1.0, leg: str = "caller.1", **more: Any
) -> SipMessage:
    """A message of a leg's, over UDP unless said otherwise."""
    told: dict[str, Any] = {
        "at": at,
        "direction": direction,
        "text": text,
        "phone": leg.partition(".")[0],
        "leg": leg,
    }
    where = {"transport": "udp", "local": "192.0.2.1:5060", "remote": "192.0.2.2:5060"}
    return SipMessage(**told | where | more)


def rtp_statistics(at: float = 1.0, leg: str = "caller.1", **counters: Any) -> RtpStatistics:
    """The counters of a leg, of which those that are not given have counted nothing."""
    told: dict[str, Any] = {"at": at, "phone": leg.partition(".")[0], "leg": leg}
    return RtpStatistics(**_NOTHING | told | counters)
