"""Detects requests that may not have reached a far end, because it asks for a transport that the phone lacks (RFC 3263 section 4.1)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from harness.calls.events import Event, SipMessage, TransportFailed
from harness.errors import BrokenError
from harness.phone.unread import parsed_with_cseq
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response

#: A third copy means that the first two, or their answers, were lost; a second copy may have crossed an answer.
_COPIES = 3


def why_unreached(events: Sequence[Event]) -> BrokenError | None:
    """An error when a far end asks for another transport and a request or ACK of the phone seems not to have reached it."""
    legs: defaultdict[str, list[tuple[SipMessage, Message]]] = defaultdict(list)
    for event in events:
        if isinstance(event, SipMessage) and event.leg and not event.unread:
            try:
                legs[event.leg].append((event, parsed_with_cseq(event.text)))
            except SipSyntaxError:
                continue
    for leg, messages in legs.items():
        formed = next(filter(_forms_dialog, messages), None)
        if formed is None or not (asked := _asked(*formed)) or asked == formed[0].transport:
            continue
        failed = [e.at for e in events if isinstance(e, TransportFailed) and e.phone == formed[0].phone]
        if lost := _lost(messages, failed):
            return BrokenError(
                f"{leg}'s far end asks for {asked.upper()} in {formed[1].start_line!r}, but the phone has only "
                f"{formed[0].transport.upper()}: its {lost} may not have arrived"
            )
    return None


def _forms_dialog(received: tuple[SipMessage, Message]) -> bool:
    event, message = received
    if event.direction != "received" or message.cseq.method != "INVITE":
        return False
    return isinstance(message, Request) or (isinstance(message, Response) and 200 <= message.status < 300)


def _asked(event: SipMessage, message: Message) -> str:
    """The transport that the next hop's URI asks for (RFC 3261 section 12.1), else the transport of the message."""
    try:
        routes = message.record_routes[:: -1 if isinstance(message, Response) else 1]
        hop = routes[0] if routes else message.contact
    except SipSyntaxError:
        return event.transport
    return (hop.uri.asked_transport if hop else "") or event.transport


def _lost(messages: Iterable[tuple[SipMessage, Message]], failed: Iterable[float]) -> str:
    """The method of a request that probably did not arrive; empty if there is none."""
    answered = {
        (m.cseq.number, m.cseq.method) for e, m in messages if e.direction == "received" and isinstance(m, Response)
    }
    sent = [(e, m) for e, m in messages if e.direction == "sent" and isinstance(m, Request) and m.to.tag is not None]
    copies = Counter((m.cseq.number, m.cseq.method) for _, m in sent)
    for event, request in sent:
        what = (request.cseq.number, request.method)
        is_late = copies[what] >= _COPIES or any(at >= event.at for at in failed)
        if request.method != "ACK" and what not in answered and is_late:
            return request.method
    accepted = Counter(m.cseq.number for e, m in messages if _forms_dialog((e, m)) and isinstance(m, Response))
    return "ACK" if any(count >= _COPIES for count in accepted.values()) else ""
