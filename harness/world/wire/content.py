"""Bodies of messages, and their Content-Type."""

from __future__ import annotations

from harness.sip.message import Request, Response

_SDP = "application/sdp"


def content_header(body: bytes | str | None, kind: str | None = _SDP) -> list[tuple[str, str]]:
    """The Content-Type line that a message with this body has (RFC 3261 section 20.15); none without a body."""
    return [("Content-Type", kind)] if body and kind else []


def sdp_of(message: Request | Response) -> bytes | None:
    """The session description a message carries, within multipart bodies too (RFC 5621); None without."""
    return message.part(_SDP)
