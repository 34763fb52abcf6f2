"""Messages that came and that pjsua2 could not read: it drops them, so that to the call they never were.

Whose fault that is, the harness's own parser says: what that finds in order is legal, and the phone fell short of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import BrokenError, PhoneDeafError
from harness.events import Event, SipMessage
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.validation import problem_of_request, problem_of_response

_SEVERAL = re.compile(r",\s*(?:Digest|Basic|NTLM|Kerberos|Negotiate)\s", re.I)


def why_nothing_came(events: Sequence[Event]) -> str | BrokenError | None:
    """Why a wait that ran out may have: a text when what came was malformed, an error when it was not; else None."""
    unread = [event for event in events if isinstance(event, SipMessage) and event.unread]
    if not unread:
        return None
    last = unread[-1]
    start = last.text.splitlines()[0]
    problem = _problem(last.text)
    if problem is None:
        return PhoneDeafError(
            f"{last.leg or last.phone} got {start!r} and could not read it, though it is in order: {last.unread}"
        )
    return f"{start!r} came, which cannot be read: {problem}"


def _problem(text: str) -> str | None:
    try:
        message = Message.parse(text)
    except SipSyntaxError as error:
        return str(error)
    if isinstance(message, Request):
        problem = problem_of_request(message)
        return problem.reason if problem else None
    return problem_of_response(message) or _problem_of_challenges(message)


def _problem_of_challenges(response: Response) -> str | None:
    for name in ("WWW-Authenticate", "Proxy-Authenticate"):
        for value in response.get_all(name):
            if value[:6].lower() == "basic ":
                return f"{name} asks for Basic, which no server may (RFC 3261 section 22)"
            if _SEVERAL.search(value):
                return f"several challenges share one {name} (RFC 3261 section 7.3.1)"
    return None
