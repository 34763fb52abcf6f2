"""Derives from a call's messages which message ends the call: a BYE, a CANCEL, a refusal, or none."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from harness.calls.events import SipMessage
from harness.phone.unread import parsed_with_cseq
from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.headers import MAGIC_COOKIE, Via
from harness.sip.message import Request, Response
from harness.sip.uri import Uri

Parsed = list[tuple[SipMessage, Request | Response]]


@dataclass(frozen=True)
class Teardown:
    """The message that ends a call, the call's INVITE, and where to send the message.

    ``next_hop`` follows RFC 3261; ``last_peer`` is the far end of the call's last message.
    """

    message: Request | Response
    invite: Request
    local: str
    next_hop: str
    last_peer: str
    transport: str


def pending_teardown(messages: Sequence[SipMessage]) -> Teardown | None:
    """None when the call has ended, never began, or its messages form no dialog."""
    parsed: Parsed = []
    for message in messages:
        with contextlib.suppress(SipSyntaxError):
            parsed.append((message, parsed_with_cseq(message.text)))
    try:
        return _teardown(parsed)
    except (SipSyntaxError, ValueError):
        return None


def _teardown(parsed: Parsed) -> Teardown | None:
    invites = [(m, r) for m, r in parsed if isinstance(r, Request) and r.method == "INVITE" and r.to.tag is None]
    if not invites or any(isinstance(r, Request) and r.method == "BYE" for _, r in parsed):
        return None
    event, invite = invites[-1]  # the last one: earlier ones were challenged
    answers = [
        (m, r)
        for m, r in parsed
        if isinstance(r, Response) and r.cseq.method == "INVITE" and r.cseq.number == invite.cseq.number
    ]
    success = next((r for _, r in answers if r.is_success), None)
    if success is not None:
        return _bye(parsed, event, invite, success)
    if any(r.is_final for _, r in answers):
        return None
    if event.direction == "sent":
        cancelled = any(isinstance(r, Request) and r.method == "CANCEL" for _, r in parsed)
        return None if cancelled else _cancel(event, invite)
    tag = next((r.to.tag for _, r in answers if r.to.tag), None) or secrets.token_hex(8)
    refusal = Response.to_request(invite, 480, tag=tag)
    return Teardown(refusal, invite, event.local, event.remote, event.remote, event.transport)


def _bye(parsed: Parsed, event: SipMessage, invite: Request, success: Response) -> Teardown:
    sent = event.direction == "sent"
    # RFC 3261 section 12.1: the caller reverses the route set of the 2xx, the callee uses that of the INVITE.
    routes = list(reversed(success.record_routes)) if sent else list(invite.record_routes)
    local, remote = (invite.from_, success.to) if sent else (success.to, invite.from_)
    target = _remote_target(parsed)
    # Section 12.2.1.1: each side has its own sequence of CSeq numbers.
    numbers = [r.cseq.number for m, r in parsed if isinstance(r, Request) and m.direction == "sent"]
    uri, hop = (target, routes[0].uri if routes else target)
    bye = Request.build(
        "BYE",
        uri,
        [
            ("Via", _via(event)),
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in routes),
            ("From", str(local)),
            ("To", str(remote)),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{max(numbers, default=0) + 1} BYE"),
            ("Reason", 'SIP;cause=500;text="softphone lost"'),
        ],
    )
    last = parsed[-1][0]
    return Teardown(bye, invite, event.local, f"{hop.host}:{hop.effective_port}", last.remote, event.transport)


def _remote_target(parsed: Parsed) -> Uri:
    """The Contact of the far end's last target refresh (RFC 3261 section 12.2)."""
    for message, parsed_message in reversed(parsed):
        refreshes = parsed_message.cseq.method in ("INVITE", "UPDATE") and (
            isinstance(parsed_message, Request) or parsed_message.is_success
        )
        if message.direction == "received" and refreshes and parsed_message.contact is not None:
            return parsed_message.contact.uri
    raise SipSyntaxError("the far end named no Contact")


def _cancel(event: SipMessage, invite: Request) -> Teardown:
    # RFC 3261 section 9.1: the INVITE's own Request-URI, topmost Via, From, To, Call-ID, Route and CSeq number.
    cancel = Request.build(
        "CANCEL",
        invite.request_uri,
        [
            ("Via", str(invite.via)),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in invite.get_all("Route")),
            ("From", str(invite.from_)),
            ("To", str(invite.to)),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} CANCEL"),
        ],
    )
    return Teardown(cancel, invite, event.local, event.remote, event.remote, event.transport)


def acknowledgement(invite: Request, response: Response) -> Request:
    """The ACK of a non-2xx response, in the INVITE's transaction (RFC 3261 section 17.1.1.3)."""
    return Request.build(
        "ACK",
        invite.request_uri,
        [
            ("Via", str(invite.via)),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in invite.get_all("Route")),
            ("From", str(invite.from_)),
            ("To", str(response.to)),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} ACK"),
        ],
    )


def acknowledgement_of_success(invite: Request, success: Response, local: str, transport: str) -> Request:
    """The ACK of a 2xx, a separate transaction (RFC 3261 section 13.2.2.4)."""
    contact = success.contact
    return Request.build(
        "ACK",
        contact.uri if contact else invite.request_uri,
        [
            ("Via", _via_of(local, transport)),
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in reversed(success.record_routes)),
            ("From", str(invite.from_)),
            ("To", str(success.to)),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} ACK"),
        ],
    )


def _via(event: SipMessage) -> str:
    return _via_of(event.local, event.transport)


def _via_of(local: str, transport: str) -> str:
    host, port = local.rsplit(":", 1)
    branch = MAGIC_COOKIE + secrets.token_hex(12)
    return str(Via(transport.upper(), host, int(port), Params.of([("branch", branch), ("rport", None)])))
