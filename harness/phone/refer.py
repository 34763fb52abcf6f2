"""The outcome of a REFER that a harness phone sent."""

from __future__ import annotations

import contextlib
import time

from harness.calls.events import Event
from harness.calls.model import message_of
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.sip.referrals import Referrals

_GOAL = "the outcome of the transfer"


def outcome(leg: Leg, within: float, *, outlives_call: bool = True) -> int:
    """The final status of the call's last REFER, from its NOTIFYs or its refusal; 0 when none came.

    pjsua2 reports a final status only while the call is up, and only if the same NOTIFY ends the subscription. But the status may
    arrive after the BYE, because the subscription is a separate usage (RFC 5057 section 4.1), or before the subscription ends.
    """
    deadline = time.monotonic() + within
    invite = message_of(leg.invite)
    reader = _Reader(invite.message.call_id if invite else "")
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
        seen = message_of(event)
        if seen is None or seen.message.call_id != self._call_id:
            return
        if seen.received and seen.answers("REFER") >= 300:
            self._referrals.refused(seen.number)
            if seen.number == self._referrals.last and not seen.is_challenge:
                self.outcome = self.outcome or seen.status
        elif not seen.received and seen.is_request("REFER"):
            if (last := self._referrals.last) is not None and seen.number > last:
                self.outcome = 0
            self._referrals.sent(seen.number)
        elif seen.received and seen.is_request("NOTIFY"):
            code = seen.fragment_status
            state = (seen.message.get("Subscription-State") or "").strip().lower()
            is_final = code >= 200 or state.startswith("terminated")  # with a 1xx the far end has given up
            if self._referrals.of(seen.message, code) == self._referrals.last and is_final:
                self.outcome = self.outcome or code
