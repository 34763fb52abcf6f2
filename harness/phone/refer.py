"""The outcome of a REFER that a harness phone sent."""

from __future__ import annotations

import contextlib
import re
import time

from harness.calls.events import Event, SipMessage
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.referrals import Referrals

_STATUS = re.compile(rb"\s*SIP/2\.0 +(\d{3})\b", re.IGNORECASE)


_GOAL = "the outcome of the transfer"


def outcome(leg: Leg, within: float, *, outlives_call: bool = True) -> int:
    """The final status of the call's last REFER, from its NOTIFYs or its refusal; 0 when none came.

    pjsua2 reports a final status only while the call is up, and only if the same NOTIFY ends the subscription. But the status may
    arrive after the BYE, because the subscription is a separate usage (RFC 5057 section 4.1), or before the subscription ends.
    """
    deadline = time.monotonic() + within
    reader = _Reader(Message.parse(leg.invite.text).call_id)
    for event in list(leg.events):
        reader.status(event)
    if reader.outcome:
        return reader.outcome

    def tells(event: Event) -> bool:
        return reader.status(event) > 0

    with contextlib.suppress(NeverCame):
        leg.wait(_GOAL, tells, within)
        return reader.outcome
    if not outlives_call:
        return 0
    with contextlib.suppress(NeverCame):  # a NOTIFY is an event of the leg until the leg has closed, then of the phone
        left = 0.0 if leg.closed else deadline - time.monotonic()
        leg.wait(_GOAL, tells, max(0.0, left), outlives_call=True)
        return reader.outcome
    with contextlib.suppress(NeverCame):
        leg.phone.wait(_GOAL, tells, max(0.0, deadline - time.monotonic()))
        return reader.outcome
    return 0


class _Reader:
    """Derives the outcome of the last REFER from the events of a call, read once each and in order."""

    def __init__(self, call_id: str) -> None:
        self._call_id, self._referrals = call_id, Referrals()
        self._read: dict[int, Event] = {}  # by id(); keeping the event keeps its id unique
        self.outcome = 0

    def status(self, event: Event) -> int:
        """The outcome after this event; 0 while it is unknown."""
        if id(event) not in self._read:
            self._read[id(event)] = event
            self._look(event)
        return self.outcome

    def _look(self, event: Event) -> None:
        if isinstance(event, SipMessage) and not event.unread:
            with contextlib.suppress(SipSyntaxError):
                message = Message.parse(event.text)
                if message.call_id == self._call_id:
                    self._message(message, event.direction)

    def _message(self, message: Message, direction: str) -> None:
        number = message.cseq.number
        if isinstance(message, Response):
            if direction == "received" and message.method == "REFER" and message.status >= 300:
                self._referrals.refused(number)
                if number == self._referrals.last and not message.is_challenge:
                    self.outcome = self.outcome or message.status
        elif isinstance(message, Request) and (direction, message.method) == ("sent", "REFER"):
            if (last := self._referrals.last) is not None and number > last:
                self.outcome = 0
            self._referrals.sent(number)
        elif isinstance(message, Request) and (direction, message.method) == ("received", "NOTIFY"):
            found = _STATUS.match(message.body)
            code = int(found[1]) if found else 0
            state = (message.get("Subscription-State") or "").strip().lower()
            is_final = code >= 200 or state.startswith("terminated")  # with a 1xx the far end has given up
            if self._referrals.of(message, code) == self._referrals.last and is_final:
                self.outcome = self.outcome or code
