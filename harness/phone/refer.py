"""What became of a REFER of ours."""

from __future__ import annotations

import contextlib
import re
import time

from harness.events import Event, SipMessage, TransferProgress
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request

_STATUS = re.compile(rb"\s*SIP/2\.0 +(\d{3})\b", re.IGNORECASE)


_GOAL = "the outcome of the transfer"


def outcome(leg: Leg, within: float, *, outlives_call: bool = True) -> int:
    """The final status of the REFER, by its NOTIFYs or by its own refusal; 0 when none came.

    pjsua2 tells of a final status only while the call is up and when the subscription ends with it. It may also come
    after the BYE, since the subscription is a usage of its own (RFC 5057 section 4.1), and ahead of the subscription's end.
    """
    deadline = time.monotonic() + within
    call_id = Message.parse(leg.invite.text).call_id

    def tells(event: Event) -> bool:
        return _status(event, call_id) > 0

    with contextlib.suppress(NeverCame):
        return _status(leg.wait(_GOAL, tells, within), call_id)
    if not outlives_call:
        return 0
    with contextlib.suppress(NeverCame):  # until the leg has ended it is the leg's, and from then on the phone's
        left = 0.0 if leg.closed else deadline - time.monotonic()
        return _status(leg.wait(_GOAL, tells, max(0.0, left), outlives_call=True), call_id)
    with contextlib.suppress(NeverCame):
        return _status(leg.phone.wait(_GOAL, tells, max(0.0, deadline - time.monotonic())), call_id)
    return 0


def _status(event: Event, call_id: str) -> int:
    """The final status that an event tells; 0 when it tells none."""
    if isinstance(event, TransferProgress):
        return event.code if event.final else 0
    if not isinstance(event, SipMessage) or event.direction != "received" or not event.text.startswith("NOTIFY "):
        return 0
    with contextlib.suppress(SipSyntaxError):
        notify = Message.parse(event.text)
        found = _STATUS.match(notify.body)
        if found and isinstance(notify, Request) and notify.call_id == call_id:
            return int(found[1]) if int(found[1]) >= 200 else 0
    return 0
