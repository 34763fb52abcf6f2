"""The SIP messages at the AI's side, from a harness phone in its place or from what its own interface shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.calls.events import Event, FarEndRecord, SipMessage
from harness.diagnosis.vantage import Vantage
from harness.sip import why
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response

CHALLENGES = (401, 407)
NO_SUCH_DIALOG = 481  # RFC 3261 section 12.2.2
#: Gives the number a recorded message has in every report.
NumberOf = Callable[[SipMessage], str]


@dataclass(frozen=True)
class Seen:
    """One message, parsed. ``where`` names it for a reader; ``local`` and ``remote`` are ``address:port``."""

    message: Request | Response
    direction: str
    transport: str
    local: str
    remote: str
    where: str
    at: float | None = None  #: None where nobody knows when it went over the wire

    @property
    def received(self) -> bool:
        """Whether it came from the platform."""
        return self.direction == "received"

    @property
    def sdp(self) -> str:
        """Its description; empty without one."""
        return sdp_of(self.message).decode("utf-8", "replace")

    @property
    def describes_audio(self) -> bool:
        """Whether its description has audio in it."""
        return "m=audio" in self.sdp

    def is_request(self, method: str) -> bool:
        """Whether it is a request of that method."""
        return isinstance(self.message, Request) and self.message.method == method

    def response_to(self, method: str) -> Response | None:
        """It as the response to a request of that method; None when it is none."""
        return response_to(self.message, method)

    def answers(self, method: str) -> int:
        """The status with which it answers a request of that method; 0 when it does not."""
        response = self.response_to(method)
        return response.status if response is not None else 0

    def is_of(self, request: Seen) -> bool:
        """Whether it is of the same transaction as ``request``, by Call-ID and CSeq; another attempt has a number of its own."""
        try:
            return (self.message.call_id, self.message.cseq) == (request.message.call_id, request.message.cseq)
        except SipSyntaxError:
            return False


def at_the_ai(events: Sequence[Event], vantage: Vantage, number_of: NumberOf) -> list[Seen]:
    """All of them, call by call, in the order in which they went over the wire."""
    ours = [e for e in events if isinstance(e, SipMessage) and vantage.role(e.phone) == "ai"]
    return [*of_records(events), *of_phones(ours, number_of)]


def of_phones(events: Sequence[SipMessage], number_of: NumberOf) -> Iterator[Seen]:
    """Messages of harness phones."""
    for e in events:
        parsed = parse(e.text)
        if parsed is not None:
            yield Seen(parsed, e.direction, e.transport, e.local, e.remote, number_of(e), e.at)


def of_records(events: Sequence[Event]) -> Iterator[Seen]:
    """Those that the AI's own interface shows."""
    for event in last_records(events):
        listed = event.witness("messages")
        if isinstance(listed, list):
            for index, plain in enumerate(listed, start=1):
                parsed = parse(str(plain.get("text", ""))) if isinstance(plain, dict) else None
                if parsed is not None:
                    where = f"message {index} of {event.source}"
                    yield Seen(
                        parsed,
                        str(plain.get("direction", "")),
                        str(plain.get("transport", "")),
                        str(plain.get("local", "")),
                        str(plain.get("remote", "")),
                        where,
                    )


def described(first: Seen, later: Sequence[Seen]) -> list[Seen]:
    """What its sender describes its media in: that message, and each offer and answer of the same call since.

    The newest counts (RFC 3264 section 8), but for an offer that was refused (RFC 3261 section 14.1). A 18x says no more than its 200
    (section 13.2.1), and what answers the same INVITE once more is a copy, or a fork's (section 13.2.2.4).
    """
    same = [s for s in later if s.message.get("Call-ID") == first.message.get("Call-ID")]
    refusals = [s for s in same if isinstance(s.message, Response) and s.message.status >= 300]
    told = [s for s in same if s.received == first.received and s.describes_audio and not s.is_of(first)]
    told = [s for s in told if isinstance(s.message, Request) or s.message.is_final]
    return [first, *(s for s in told if not any(refusal.is_of(s) for refusal in refusals))]


def last_records(events: Sequence[Event]) -> list[FarEndRecord]:
    """What the AI's own interface last said of each of its calls."""
    last = {e.source: e for e in events if isinstance(e, FarEndRecord) and e.phone != "probe"}
    return list(last.values())


def parse(text: str) -> Request | Response | None:
    """None for what is no SIP message."""
    try:
        return Message.parse(text)
    except SipSyntaxError:
        return None


def response_to(message: Message, method: str) -> Response | None:
    """A message as the response to a request of that method; None when it is none."""
    if not isinstance(message, Response):
        return None
    try:
        return message if message.method == method else None
    except SipSyntaxError:
        return None


def said_by(response: Response | None) -> tuple[str, ...]:
    """A response in its own words, for a reader: a refusal's status line, and all that its headers say of why."""
    refusal = [response.start_line.rstrip()] if response is not None and response.status >= 300 else []
    return (*refusal, *why.told(response))


def begins_dialog(message: Message) -> bool:
    """Whether it is an INVITE without a To tag (RFC 3261 section 12.1), so no re-INVITE."""
    try:
        return isinstance(message, Request) and message.method == "INVITE" and message.to.tag is None
    except SipSyntaxError:
        return False


def is_within(message: Message | None) -> bool:
    """Whether it is a request within a dialog (RFC 3261 section 12.2)."""
    try:
        return isinstance(message, Request) and message.to.tag is not None
    except SipSyntaxError:
        return False


def sdp_of(message: Message) -> bytes:
    """Its description; a gateway may send ISUP along (RFC 5621, RFC 3204)."""
    return (message.part("application/sdp") or b"").strip()


def changes_media(message: Message | None) -> bool:
    """Whether it may change the media of a call that is up: a re-INVITE, whose answer offers where it does not; an UPDATE with an
    offer (RFC 3311 section 5.1), as one without refreshes the session alone (RFC 4028 section 7.4).
    """
    if not (isinstance(message, Request) and is_within(message)):
        return False
    return message.method == "INVITE" or (message.method == "UPDATE" and bool(sdp_of(message)))


def bye_outcome(answer: Response, received: Iterable[Message]) -> str | None:
    """``accepted`` or ``refused``, which a BYE was answered with; None where one of the far end's crossed it.

    The call that it was to end is over then, and so unknown (RFC 3261 sections 15.1.1 and 15.1.2).
    """
    if answer.is_success:
        return "accepted"
    byes = (m for m in received if isinstance(m, Request) and m.method == "BYE")
    crossed = answer.status == NO_SUCH_DIALOG and any(bye.call_id == answer.call_id for bye in byes)
    return None if crossed else "refused"


def formats(message: Message) -> str:
    """The audio that a message offers, as it says it."""
    found = re.search(rb"^m=audio [^\r\n]*", message.body, re.M)
    return f"offered: {found[0].decode('utf-8', 'replace')}" if found else "no audio was offered"


def username_in(seen: Seen) -> str | None:
    """The user that its credentials name; None without any."""
    value = seen.message.get("Authorization") or seen.message.get("Proxy-Authorization") or ""
    found = re.search(r'username="([^"]*)"', value)
    return found[1] if found else None
