"""What a user agent server refuses before anybody looks at a request (RFC 3261 sections 8.2.1 to 8.2.3)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request

_BODIES = ("application/sdp", "multipart/mixed", "multipart/alternative")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final response, and what it has to say."""

    status: int
    reason: str | None = None
    headers: Sequence[tuple[str, str]] = ()


def refusal_of(
    request: Request,
    known: Collection[str],
    allowed: Sequence[str],
    supported: Sequence[str],
    *,
    merged: bool,
) -> Refusal | None:
    """The first reason to refuse a well-formed request; None when it may go to its handler."""
    if request.method == "SUBSCRIBE" and request.method not in known:
        return Refusal(489, headers=[("Allow-Events", "refer")])  # RFC 6665 section 8.2.2
    if request.method not in known:
        return Refusal(405, headers=[("Allow", ", ".join(allowed))])
    if merged:
        return Refusal(482)  # section 8.2.2.2
    if request.max_forwards == 0 and request.method != "OPTIONS":
        # A user agent need not look at it (8.1.1.6), but the nodes here stand for hops; OPTIONS at zero asks
        # just for whoever gets it (section 11).
        return Refusal(483)
    try:
        unknown = sorted(request.tokens("Require") - {tag.lower() for tag in supported})
    except SipSyntaxError:
        return Refusal(400)
    if unknown and request.method not in ("CANCEL", "ACK"):
        return Refusal(420, headers=[("Unsupported", ", ".join(unknown))])
    return _refused_content(request) if request.method in ("INVITE", "UPDATE", "PRACK") else None


def _refused_content(request: Request) -> Refusal | None:
    """Section 8.2.3; only where a session description is what a body is for."""
    encoding = (request.get("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        return Refusal(415, headers=[("Accept-Encoding", "identity")])
    optional = "handling=optional" in (request.get("Content-Disposition") or "").replace(" ", "").lower()
    if request.body and request.content_type not in ("", *_BODIES) and not optional:
        return Refusal(415, headers=[("Accept", "application/sdp")])
    accept = request.tokens("Accept")
    if accept and not accept & {"application/sdp", "application/*", "*/*"}:
        return Refusal(406)
    return None
