"""The model of a call: its messages, each parsed once, and the facts that follow from its events.

Checks, diagnosis, reports, load and scenarios read these facts here instead of parsing messages
again. :class:`CallMessage` is a message as one side saw it; :class:`Call` has the facts of one leg.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.case.events import Event, FarEndRecord, SipMessage
from harness.sip.grammar import SipSyntaxError, decimal
from harness.sip.message import Message, Request, Response
from harness.sip.message import read as read
from harness.sip.referrals import Referrals, outcome

#: Gives the number that a recorded message has in every report.
NumberOf = Callable[[SipMessage], str]
NO_SUCH_DIALOG = 481  # RFC 3261 section 12.2.2
CHALLENGES = (401, 407)


@dataclass(frozen=True, eq=False)
class CallMessage:
    """A message as a harness phone or a far end saw it. ``local`` and ``remote`` are
    ``address:port``.

    ``where`` names it in reports: ``m12``, or ``message 3 of GET …``. ``at`` is None in a record of
    a far end, which has its own clock.
    """

    message: Request | Response
    direction: str
    transport: str
    local: str
    remote: str
    where: str = ""
    at: float | None = None
    phone: str = ""
    leg: str | None = None

    @property
    def received(self) -> bool:
        return self.direction == "received"

    @property
    def time(self) -> float:
        """When a harness phone sent or received it."""
        assert self.at is not None, "a message of a record has no time"
        return self.at

    @cached_property
    def transaction(self) -> tuple[str, int, str] | None:
        """Call-ID, CSeq number and method; None if CSeq cannot be read. Each attempt at a request
        has a number of its own.
        """
        try:
            cseq = self.message.cseq
        except SipSyntaxError:
            return None
        return self.message.call_id, cseq.number, cseq.method

    @property
    def number(self) -> int:
        """The CSeq number; -1 if it cannot be read."""
        return self.transaction[1] if self.transaction else -1

    @property
    def method(self) -> str:
        """The request's method, or that of the request which a response answers; empty if CSeq
        cannot be read.
        """
        if isinstance(self.message, Request):
            return self.message.method
        return self.transaction[2] if self.transaction else ""

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return self.message.status if isinstance(self.message, Response) else 0

    def is_request(self, *methods: str) -> bool:
        return isinstance(self.message, Request) and self.message.method in methods

    def response_to(self, method: str) -> Response | None:
        """The message, if it is a response to a request of that method."""
        return (
            self.message if isinstance(self.message, Response) and self.method == method else None
        )

    def answers(self, method: str) -> int:
        """The status with which it answers a request of that method; 0 if it does not."""
        return self.status if self.method == method else 0

    def accepts(self, method: str) -> bool:
        """Whether it is a 2xx to a request of that method."""
        return 200 <= self.answers(method) < 300

    def is_of(self, request: CallMessage) -> bool:
        """Whether it belongs to the same transaction."""
        return self.transaction is not None and self.transaction == request.transaction

    def acknowledges(self, answer: CallMessage) -> bool:
        """Whether it is the ACK of that 2xx: its CSeq number is the INVITE's (RFC 3261 section
        13.2.2.4).
        """
        is_of_the_call = self.message.call_id == answer.message.call_id
        return self.is_request("ACK") and is_of_the_call and self.number == answer.number

    @property
    def outcome(self) -> tuple[int, str]:
        """The status and reason phrase that a NOTIFY reports of a REFER; 0 without a status."""
        return outcome(self.message.body.decode("utf-8", "replace"))

    @property
    def is_final(self) -> bool:
        return self.status >= 200

    @property
    def is_challenge(self) -> bool:
        return self.status in CHALLENGES

    @cached_property
    def begins_dialog(self) -> bool:
        """Whether it is an INVITE without a To tag (RFC 3261 section 12.1), so not a re-INVITE."""
        return self.is_request("INVITE") and self.to_tag == ""

    @cached_property
    def is_within(self) -> bool:
        """Whether it is a request within a dialog (RFC 3261 section 12.2)."""
        return isinstance(self.message, Request) and bool(self.to_tag)

    @cached_property
    def to_tag(self) -> str | None:
        """The To tag, empty without one; None if To cannot be read."""
        try:
            return self.message.to.tag or ""
        except SipSyntaxError:
            return None

    @cached_property
    def sdp(self) -> str:
        """Its session description, also one that a gateway sends beside ISUP (RFC 5621, RFC 3204);
        empty without one.
        """
        return (self.message.part("application/sdp") or b"").strip().decode("utf-8", "replace")

    @property
    def describes_audio(self) -> bool:
        return "m=audio" in self.sdp

    @property
    def changes_media(self) -> bool:
        """Whether it may change the media of an established call: a re-INVITE, whose answer has the
        offer if it has none itself, or an UPDATE with an offer (RFC 3311 section 5.1). An UPDATE
        without one only refreshes the session (RFC 4028 section 7.4).
        """
        return self.is_within and (
            self.method == "INVITE" or (self.method == "UPDATE" and bool(self.sdp))
        )


def _unnumbered(message: SipMessage) -> str:
    return ""


def messages_of(
    events: Iterable[Event], number_of: NumberOf = _unnumbered
) -> Iterator[CallMessage]:
    """The SIP messages of harness phones among the events, in order, as far as they can be parsed."""
    for e in events:
        if isinstance(e, SipMessage) and (parsed := read(e.text)) is not None:
            yield CallMessage(
                parsed,
                e.direction,
                e.transport,
                e.local,
                e.remote,
                number_of(e),
                e.at,
                e.phone,
                e.leg,
            )


def message_of(event: Event) -> CallMessage | None:
    """The event's SIP message; None for another event, and for a message that the phone's stack
    dropped.
    """
    is_read = isinstance(event, SipMessage) and not event.unread
    return next(messages_of([event]), None) if is_read else None


def messages_in_record(record: FarEndRecord) -> Iterator[CallMessage]:
    """The SIP messages that a far end's record shows, in order, as far as they can be parsed."""
    return messages_shown(record.messages, record.source)


def messages_shown(entries: Iterable[Any], source: str = "") -> Iterator[CallMessage]:
    """The same of the messages in a record that comes from ``source``."""
    for index, entry in enumerate(entries, start=1):
        parsed = read(str(entry.get("text", ""))) if isinstance(entry, Mapping) else None
        if parsed is not None:
            direction, transport, local, remote = (
                str(entry.get(name) or "") for name in ("direction", "transport", "local", "remote")
            )
            where = f"message {index} of {source}"
            yield CallMessage(parsed, direction, transport, local, remote, where)


# -- facts of several messages


def described(first: CallMessage, later: Iterable[CallMessage]) -> list[CallMessage]:
    """The messages in which one side describes its media: ``first``, and its offers and answers of
    the same call since.

    The newest counts (RFC 3264 section 8), except for an offer that was refused (RFC 3261 section
    14.1). A 18x adds nothing to its 200 (section 13.2.1). Another answer to the same INVITE is a
    copy, or comes from a fork (section 13.2.2.4).
    """
    same = [m for m in later if m.message.call_id == first.message.call_id]
    refusals = [m for m in same if m.status >= 300]
    reported = [
        m for m in same if m.received == first.received and m.describes_audio and not m.is_of(first)
    ]
    reported = [m for m in reported if isinstance(m.message, Request) or m.is_final]
    return [first, *(m for m in reported if not any(refusal.is_of(m) for refusal in refusals))]


def bye_outcome(answer: Response, crossing: Iterable[CallMessage]) -> str | None:
    """``accepted`` or ``refused``: the answer to a BYE. None for a 481 when a BYE of the other side
    is among ``crossing``.

    The call is then over, and its dialog unknown (RFC 3261 sections 15.1.1 and 15.1.2).
    """
    if answer.is_success:
        return "accepted"
    crossed = any(m.is_request("BYE") and m.message.call_id == answer.call_id for m in crossing)
    return None if answer.status == NO_SUCH_DIALOG and crossed else "refused"


def notifies(
    refer: CallMessage, messages: Iterable[CallMessage]
) -> Iterator[tuple[CallMessage, int]]:
    """The NOTIFYs that the sender of a REFER received for it, each with the status in its sipfrag
    (RFC 3515 section 2.4.5); 0 without.

    ``messages`` are those of the sender's call, in order.
    """
    referrals = Referrals()
    for seen in messages:
        if seen.message.call_id != refer.message.call_id:
            continue
        if not seen.received and seen.is_request("REFER"):
            referrals.sent(seen.number)
        elif seen.received and seen.answers("REFER") >= 300:
            referrals.refused(seen.number)
        elif seen.received and seen.is_request("NOTIFY"):
            status, _ = seen.outcome
            number = referrals.of(seen.message, status)
            if number in (None, refer.number):
                yield seen, status


@dataclass(frozen=True, eq=False)
class Exchange:
    """A request and its final response, if one came."""

    request: CallMessage
    response: CallMessage | None


def exchanges(
    messages: Sequence[CallMessage], *, without: Collection[str] = ("ACK",)
) -> list[Exchange]:
    """The requests sent, each once and with its final response, except for those of the methods
    ``without``.
    """
    finals: dict[tuple[str, int, str] | None, CallMessage] = {}
    for m in messages:
        if m.received and m.is_final:
            finals.setdefault(m.transaction, m)
    asked: dict[tuple[str, int, str], CallMessage] = {}  # a later one is a retransmission
    for m in messages:
        if (
            not m.received
            and isinstance(m.message, Request)
            and m.method not in without
            and m.transaction is not None
        ):
            asked.setdefault(m.transaction, m)
    return [Exchange(request, finals.get(key)) for key, request in asked.items()]


# -- one call


class Call:
    """The facts of one call of a harness phone, from the SIP messages among the events of its leg."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.messages = list(messages_of(events))

    @cached_property
    def sent(self) -> list[CallMessage]:
        return [m for m in self.messages if not m.received]

    @cached_property
    def received(self) -> list[CallMessage]:
        return [m for m in self.messages if m.received]

    # -- how it was answered

    @cached_property
    def invite(self) -> CallMessage | None:
        """The INVITE with which the call began, at either end; the last attempt at it, if earlier
        ones were challenged.
        """
        return next((m for m in reversed(self.messages) if m.begins_dialog), None)

    @cached_property
    def answers(self) -> list[CallMessage]:
        """The 2xx received to INVITEs, copies included."""
        return [m for m in self.received if m.accepts("INVITE")]

    @cached_property
    def parties(self) -> list[str]:
        """The To tags of those who answered the initial INVITE (RFC 3261 section 13.2.2.4)."""
        initial = {m.number for m in self.sent if m.begins_dialog}
        return list(
            dict.fromkeys(m.message.to.tag or "" for m in self.answers if m.number in initial)
        )

    @cached_property
    def provisional(self) -> list[Response]:
        """The provisional responses received, except 100."""
        return [
            m.message
            for m in self.received
            if isinstance(m.message, Response) and 100 < m.status < 200
        ]

    @cached_property
    def requires_reliability(self) -> bool:
        """Whether an INVITE that was sent requires reliable provisional responses (RFC 3262)."""
        return any(
            m.is_request("INVITE") and "100rel" in m.message.tokens("Require") for m in self.sent
        )

    # -- what it was asked while it was up, and how it ended

    @cached_property
    def byes(self) -> list[CallMessage]:
        return [m for m in self.messages if m.is_request("BYE")]

    @cached_property
    def answer_to_bye(self) -> Response | None:
        """The final response to the phone's BYE. A challenge counts only if no other response
        followed.
        """
        finals = [
            m.message
            for m in self.received
            if m.answers("BYE") >= 200 and isinstance(m.message, Response)
        ]
        return next(
            (response for response in finals if not response.is_challenge),
            finals[-1] if finals else None,
        )

    @cached_property
    def session_interval(self) -> int | None:
        """The session interval agreed on in the 200 to the INVITE, in seconds (RFC 4028 section 9)."""
        answer = next((m.message for m in self.messages if m.answers("INVITE") == 200), None)
        return seconds_of(answer, "Session-Expires") if answer else None


def seconds_of(message: Message, name: str) -> int | None:
    """The seconds in a header such as Session-Expires or Min-SE; None without the header."""
    return decimal((message.get(name) or "").split(";")[0].strip(), most=2**32 - 1)
