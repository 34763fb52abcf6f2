"""Whose campaign calls a customer: a call that an earlier case started, and waited for in vain, meets the next one."""

from __future__ import annotations

import time
from dataclasses import replace

from harness.calls.checks import identity, landing
from harness.calls.verdict import Finding
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.protocol import Answer
from harness.scenario.context import CaseContext
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message


class Campaigns:
    """Those that call one phone, told apart by the number that they call from."""

    def __init__(self, context: CaseContext, phone: Phone) -> None:
        self._context = context
        self._phone = phone
        self._awaited: list[str] = []
        self._refused: dict[str, str] = {}  #: by leg, in words

    def await_from(self, number: str) -> None:
        """The campaign of this number is to call: from now on that of another one of the file, if not awaited too, is refused."""
        self._awaited.append(number)

    def none_came(self, subject: str) -> Finding:
        """That no call came; where calls were refused that show another number, that of the last: all may have been the one awaited."""
        refused = [leg for leg in self._phone.incoming if leg.id in self._refused]
        if not refused:
            return landing.landed("the call", subject, {})
        invite, region = Message.parse(refused[-1].invite.text), self._context.deployment.region_at(self._phone.name)
        found = identity.caller_id(invite, refused[-1].id, self._awaited[-1], "preserved", region)
        return replace(found, evidence=tuple(self._refused.values()))

    def has_called(self) -> bool:
        """Whether a call has come, the refused ones aside."""
        # each is looked at, and refused where it has to be
        refused = [self._is_refused(leg) for leg in self._phone.incoming]
        return not all(refused)

    def answer_next(self, within: float) -> Leg:
        """The next call that is not refused, answered."""
        deadline = time.monotonic() + within
        while self._is_refused(leg := self._phone.next_call(max(0.0, deadline - time.monotonic()))):
            pass
        if leg.state in ("incoming", "early") and not isinstance(self._phone.policy, Answer):
            leg.answer()
        return leg

    def _is_refused(self, leg: Leg) -> bool:
        if leg.id in self._refused:
            return True
        number = self._another_shown(leg) if self._awaited else None
        if number is None:
            return False
        line = next(line for line, _, did in self._context.deployment.all_dids() if did == number)
        words = f"{leg.id} shows {number}, of {line}: another campaign's late call, which is refused"
        self._refused[leg.id] = words
        self._context.evidence.note_once(words)
        leg.taken = True
        leg.hangup(603)  # whom a dialer finds busy (486) it calls again (RFC 3261 section 21.6.2)
        return True

    def _another_shown(self, leg: Leg) -> str | None:
        """The number of the file in From, any way it is written, where it is no awaited one; what is nobody's is judged later."""
        try:
            invite = Message.parse(leg.invite.text)
        except (LookupError, SipSyntaxError):
            return None
        others = [did for _, _, did in self._context.deployment.all_dids() if did not in self._awaited]
        region = self._context.deployment.region_at(self._phone.name)
        # digits may spell two numbers: what may be an awaited one is that
        shown = identity.number_shown(invite, [*self._awaited, *others], region)
        return shown if shown in others else None
