"""What a receiver has to check before it may act on a message (RFC 3261 sections 8.1.1, 8.2, 16.3;
RFC 4475).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.sip.grammar import SipSyntaxError, decimal, is_token, split_outside
from harness.sip.message import VERSION, Head, Request, Response
from harness.sip.uri import lacks_quotes

MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_SINGLE = (*MANDATORY[1:], "Max-Forwards", "Content-Length", "Content-Type", "Expires")
_SCHEMES = ("sip", "sips", "tel")
_CALL_ID = re.compile(r"[^\s@]+(@[^\s@]+)?\Z")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message is no good, and the answer a request of that kind gets."""

    status: int
    reason: str


def problem_of_request(request: Request) -> Problem | None:
    """The first thing wrong with the syntax of a request; None when it may be processed."""
    if request.version != VERSION:
        return Problem(505, f"{request.version} is not spoken here")
    text = _mandatory(request)
    if text is not None:
        return Problem(400, text)
    try:
        return _request_line(request) or _values(request)
    except SipSyntaxError as error:
        return Problem(400, _phrase(str(error)))


def problem_of_response(response: Response) -> str | None:
    """The first thing wrong with a response, which is then dropped; None when it may be processed."""
    if response.version != VERSION:
        return f"version {response.version}"
    missing = _mandatory(response)
    if missing is not None:
        return missing
    try:
        # Only these are acted upon; a response with an odd Date is still an answer.
        _ = response.vias, response.from_, response.to, response.cseq
    except SipSyntaxError as error:
        return str(error)
    return None


def salvage(data: bytes) -> Request | None:
    """What can be read of a request that does not parse, so that it can be answered 400; None when
    too little.

    Keeps the well-formed header lines; the Request-URI may be nonsense.
    """
    head = Head.read(data.decode("utf-8", "surrogateescape"))
    words = head.start.split()
    if len(words) < 2 or not is_token(words[0]) or not words[-1].upper().startswith("SIP/"):
        return None
    request = Request(head.headers, method=words[0], request_uri=" ".join(words[1:-1]) or "?")
    try:
        _ = request.via
    except SipSyntaxError:
        return None
    return request


def _mandatory(message: Request | Response) -> str | None:
    for name in MANDATORY:
        if not message.has(name):
            return f"{name} is missing"
    for name in _SINGLE:
        if message.count(name) > 1:
            return f"{name} stands more than once"
    for name in ("From", "To"):
        if lacks_quotes(message.get(name) or ""):
            return f"{name} has a display name that needs quotes"
    if not message.vias_are_plain:
        return "Empty element or parameter in Via"
    if not _CALL_ID.match(message.call_id):
        return "Call-ID is malformed"
    return None


def _request_line(request: Request) -> Problem | None:
    if request.cseq.method != request.method:
        return Problem(400, "CSeq names another method")
    uri = request.request_uri
    if any(char in uri for char in '<>" \t'):
        return Problem(400, "Request-URI is malformed")
    scheme = uri.partition(":")[0].lower()
    if ":" in uri and scheme not in _SCHEMES:
        return Problem(416, "Unsupported URI Scheme")
    if request.uri.headers:
        # RFC 4475 section 3.1.2.11: URI headers have no place in a Request-URI.
        return Problem(400, "Request-URI has headers")
    return None


def _values(request: Request) -> Problem | None:
    """Parse everything a server acts upon."""
    _ = (
        request.vias,
        request.from_,
        request.to,
        request.max_forwards,
        request.routes,
        request.record_routes,
    )
    for name in ("Contact", "Route", "Record-Route"):
        if any(map(lacks_quotes, request.values(name))):
            return Problem(400, f"{name} has a display name that needs quotes")
    for line in request.get_all("Contact"):
        if any(not part for part in split_outside(line, ";")) and not request.contact_is_star:
            return Problem(400, "Empty parameter in Contact")
    for contact in request.contacts:
        if contact.uri.headers and not any("<" in line for line in request.get_all("Contact")):
            # RFC 4475 section 3.1.2.13 and RFC 3261 section 20: "?" needs the angle brackets.
            return Problem(400, "Contact needs angle brackets")
    length = request.get("Content-Length")
    if length is not None:
        if not (length.isascii() and length.isdecimal()):
            return Problem(400, "Content-Length is malformed")
        if decimal(length, most=len(request.body)) is None:
            return Problem(400, "The body is shorter than Content-Length")
    return None


def _phrase(text: str) -> str:
    """A syntax error as a reason phrase: short, and without what the sender could have smuggled in."""
    return text.partition(": ")[0][:80]
