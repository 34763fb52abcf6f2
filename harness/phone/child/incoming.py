"""Incoming calls: the case that a call at a shared phone belongs to, and what a phone's policy does
with its calls.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from harness.case.events import CallsRefused
from harness.phone.child.account import AccountHolder, HostedPhone, PhoneShare
from harness.phone.child.attribution import Attribution
from harness.phone.child.bindings import PjCall, Refusal, parameters
from harness.phone.child.leg import CallLeg
from harness.phone.child.legs import Legs
from harness.phone.protocol import Answer, Early, Reject, Ring
from harness.sip.identity import known_spellings, numbers_shown
from harness.sip.message import Message


def case_of(
    claimants: Sequence[PhoneShare], invite: Message | None
) -> tuple[PhoneShare | None, list[PhoneShare]]:
    """The case that takes the call of an INVITE; and, if that is a guess, all cases it may belong
    to.

    A call that shows no case's number may be misrouted: it may belong to a case that only checks
    whether this phone rings.
    """
    known = known_spellings(number for one in claimants for number in one.claim.numbers)
    region = claimants[0].claim.region if claimants else ""
    shown = numbers_shown(invite, region, known) if invite is not None else ()
    for number in shown:
        owners = [one for one in claimants if number in one.claim.numbers]
        if len(owners) == 1:
            return owners[0], []
    if not shown:
        idle = [one for one in claimants if not one.calls]
        withholding = [one for one in idle if one.claim.withheld]
        if len(withholding) == 1:
            return withholding[0], []
    waiting = [one for one in claimants if one.claim.lands] or list(claimants)
    if not waiting:
        return None, []
    first = min(waiting, key=lambda one: one.calls)  # ties: the case that joined first
    return first, list(claimants) if len(claimants) > 1 else []


def is_late(claimants: Sequence[PhoneShare], invite: Message | None, now: float) -> bool:
    """Whether an INVITE that shows no case's number is a call of a case that is over by now."""
    if invite is None or not claimants:
        return False
    ended = [number for one in claimants for number, at in one.claim.ended.items() if now < at]
    own = {number for one in claimants for number in one.claim.numbers}
    shown = numbers_shown(invite, claimants[0].claim.region, known_spellings([*own, *ended]))
    return own.isdisjoint(shown) and not set(ended).isdisjoint(shown)


class IncomingCalls:
    """Creates the legs of incoming calls, and answers those that ring for a while first."""

    def __init__(self, legs: Legs, attribution: Attribution) -> None:
        self._legs, self._attribution = legs, attribution
        self._ringing: list[tuple[float, CallLeg, Answer]] = []  # with the time of the answer

    def take(self, holder: AccountHolder, call_id: int) -> None:
        """Create a leg for pjsua's call ``call_id`` and apply the phone's policy; refuse the call
        if the phone is parked or full.
        """
        afterwards = self._legs.endpoint.afterwards
        call = PjCall(holder.account, None, call_id)
        info = call.getInfo()
        invite = self._attribution.waiting_invite(info.callIdString)
        message = invite.parsed if invite is not None else None
        if is_late(holder.shares, message, time.monotonic()):
            self._refuse(holder, call, info.callIdString, info.remoteUri)
            return
        phone = self._phone_of(holder, message)
        up = self._legs.calls_up(phone)
        if phone.parked or up >= phone.config.max_calls:
            code = 480 if phone.parked else 486
            afterwards(lambda: call.hangup(parameters(code)))
            # A phone with one line is simply busy. A limit of several calls is the harness's, so a
            # refusal is reported.
            if not phone.parked and up > 1 and invite is not None:
                phone.emit(CallsRefused, source=invite.remote_host)
            return
        leg = CallLeg(self._legs, phone, info.callIdString, "incoming", info.remoteUri)
        leg.call, call.listener = call, leg
        leg.state_changed()
        afterwards(lambda: self._obey(leg))

    def _refuse(self, holder: AccountHolder, call: PjCall, call_id: str, remote: str) -> None:
        """Refuse a late call; its leg is the shared phone's, so that no case sees its messages."""
        leg = CallLeg(self._legs, holder, call_id, "incoming", remote)
        leg.call, call.listener = call, leg
        leg.state_changed()
        self._legs.endpoint.afterwards(lambda: leg.respond(480))
        for share in holder.shares:
            self._legs.parent.notify("guessed", phone=share.key)

    def _phone_of(self, phone: AccountHolder, invite: Message | None) -> HostedPhone:
        """The phone itself, or the share of the case that the call belongs to."""
        if not phone.shares:
            return phone
        found, guesses = case_of(phone.shares, invite)
        for share in guesses:
            self._legs.parent.notify("guessed", phone=share.key)
        if found is None:
            return phone
        found.calls += 1
        return found

    def _obey(self, leg: CallLeg) -> None:
        """Ring, answer or refuse, unless the caller has cancelled."""
        policy = leg.phone.policy
        if leg.call is None:
            return
        if isinstance(policy, Ring):
            leg.respond(180)
        elif isinstance(policy, Early):
            leg.respond(policy.code)
        elif isinstance(policy, Reject):
            leg.respond(policy.code, policy.reason)
        elif isinstance(policy, Answer):
            if policy.after > 0:
                leg.respond(180)
                self._ringing.append((time.monotonic() + policy.after, leg, policy))
            else:
                leg.respond(200, headers=policy.headers)

    def due(self) -> Iterator[float]:
        """The times at which ringing calls are to be answered."""
        return (at for at, _, _ in self._ringing)

    def tick(self, now: float) -> None:
        """Answer calls that have rung long enough."""
        for entry in list(self._ringing):
            answer_at, leg, policy = entry
            if now < answer_at and leg.call is not None:
                continue
            self._ringing.remove(entry)
            with contextlib.suppress(Refusal):
                leg.respond(200, headers=policy.headers)
