"""How a call ended, or failed to be set up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from harness.sip.message import Message, Response


class How(Enum):
    """What ended a call."""

    BYE = "bye"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    """A final response of 300 or above."""
    NO_ANSWER = "no answer"
    """No final response to the INVITE in 64*T1 (a local 408)."""
    UNREACHABLE = "unreachable"
    """The transport failed (a local 503)."""
    NO_ACK = "no ack"
    """Our 2xx was never acknowledged."""
    EXPIRED = "session expired"
    """Nobody refreshed the session (RFC 4028)."""
    LOST = "lost"
    """The peer no longer knows the dialog, or does not answer in it (a 481, a 408)."""
    STOPPED = "stopped"
    """The node was stopped."""


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended, who ended it, and with what message."""

    how: How
    by: Literal["local", "remote"]
    status: int = 0
    """Status of the final response to the INVITE; 0 when the call had been answered."""
    reason: str = ""
    message: Message | None = None
    """The BYE, CANCEL or response behind it."""


class CallFailedError(Exception):
    """An INVITE that got no 2xx. ``response`` is None when the status is a local one (408, 503)."""

    def __init__(self, end: End) -> None:
        super().__init__(f"{end.status} {end.reason} ({end.how.value})")
        self.end = end
        self.status = end.status
        self.reason = end.reason
        self.response = end.message if isinstance(end.message, Response) else None
