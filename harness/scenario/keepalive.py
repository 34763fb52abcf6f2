"""OPTIONS outside of any call, as a keep-alive is (RFC 3261 section 11)."""

from __future__ import annotations

from typing import Final

from harness.calls.events import SipMessage
from harness.errors import BrokenError
from harness.phone.phone import Phone
from harness.sip.grammar import SipSyntaxError
from harness.sip.login import MOST_CHALLENGES, Login
from harness.sip.message import Message, Request, Response

#: The phone itself ends the request by then: timer F, 64 × T1 (RFC 3261 section 17.1.2.2). A platform that is silent has not answered.
_ANSWERED_WITHIN_S: Final = 35.0


def options(phone: Phone, uri: str) -> tuple[int, str]:
    """Status and reason of the final response, challenges answered (section 22); 0 where none came, whatever the phone says of it."""
    config = phone.config
    login = Login(config.username, config.password, config.realm) if config.username and config.password else None
    credentials: list[tuple[str, str]] = []
    for _ in range(1 + MOST_CHALLENGES):
        seen = len(phone.events)
        code, reason = phone.request("OPTIONS", uri, within=_ANSWERED_WITHIN_S, credentials=credentials)
        request, response = _exchange([e for e in phone.events[seen:] if isinstance(e, SipMessage)])
        if request is None:
            raise BrokenError(f"{phone.name}: its own OPTIONS is not in its log, so nobody can say who answered it")
        if response is None:
            return 0, f"no final response; the phone itself ended it as {code} {reason}"
        if code not in (401, 407) or login is None:
            return code, reason
        if (answered := login.answer(request, response)) is None:
            why = f" ({login.unanswered.why})" if login.unanswered else ""
            return code, reason + why
        credentials = [(name, v) for name in ("Authorization", "Proxy-Authorization") for v in answered.get_all(name)]
    return code, reason


def _exchange(messages: list[SipMessage]) -> tuple[Request | None, Response | None]:
    """The request as it was sent, and its final response."""
    request: Request | None = None
    response: Response | None = None
    for event in messages:
        try:
            message = Message.parse(event.text)
            if message.cseq.method != "OPTIONS":
                continue
        except SipSyntaxError:
            continue
        if isinstance(message, Request) and event.direction == "sent":
            request = message
        elif isinstance(message, Response) and message.is_final and event.direction == "received":
            response = message
    return request, response
