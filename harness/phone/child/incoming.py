"""Incoming calls: the case that a call at a shared phone belongs to, and what a phone's policy does
with its calls.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

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

    In this order: the only case with a number that the call shows; for a call without a number, the
    only case that waits for a caller who withholds it; else a guess, a case that expects a call
    here before one that does not, and one with fewer calls before others.

    A call that shows no case's number may be misrouted: it may belong to a case that only checks
    whether this phone rings.
    """
    if not claimants:
        return None, []
    shown = _shown(claimants, invite, _own_numbers(claimants))
    for number in shown:
        owners = [share for share in claimants if number in share.claim.numbers]
        if len(owners) == 1:
            return owners[0], []
    if not shown:
        withholding = [share for share in claimants if share.claim.withheld and not share.calls]
        if len(withholding) == 1:
            return withholding[0], []
    waiting = [share for share in claimants if share.claim.lands]
    first = min(waiting or claimants, key=lambda share: share.calls)  # ties: who joined first
    if len(claimants) == 1:
        return first, []
    return first, list(claimants)


def is_late(claimants: Sequence[PhoneShare], invite: Message | None, now: float) -> bool:
    """Whether an INVITE that shows no case's number is a call of a case that is over by now."""
    if not claimants:
        return False
    own = _own_numbers(claimants)
    ended: list[str] = []
    for share in claimants:
        ended += [number for number, until in share.claim.ended.items() if now < until]
    shown = set(_shown(claimants, invite, [*own, *ended]))
    return shown.isdisjoint(own) and not shown.isdisjoint(ended)


def _own_numbers(claimants: Sequence[PhoneShare]) -> list[str]:
    numbers: list[str] = []
    for share in claimants:
        numbers += share.claim.numbers
    return numbers


def _shown(
    claimants: Sequence[PhoneShare], invite: Message | None, known: Sequence[str]
) -> Sequence[str]:
    """The numbers that an INVITE shows; the ``known`` ones are found in every spelling."""
    if invite is None:
        return ()
    return numbers_shown(invite, claimants[0].claim.region, known_spellings(known))


class IncomingCalls:
    """Creates the legs of incoming calls, and answers those that ring for a while first."""

    def __init__(self, legs: Legs, attribution: Attribution) -> None:
        self._legs = legs
        self._attribution = attribution
        self._ringing: list[tuple[float, CallLeg, Answer]] = []  # with the time of the answer

    def take(self, holder: AccountHolder, call_id: int) -> None:
        """Create a leg for pjsua's call ``call_id`` and apply the phone's policy; refuse the call
        if the phone is parked or full.
        """
        # pjsua is still within its callback: what ends or answers the call is done afterwards.
        afterwards = self._legs.endpoint.afterwards
        call = PjCall(holder.account, None, call_id)
        info = call.getInfo()
        invite = self._attribution.waiting_invite(info.callIdString)
        message = invite.parsed if invite is not None else None
        if is_late(holder.shares, message, time.monotonic()):
            # The leg is the shared phone's, so that no case sees its messages.
            late = self._begin(holder, call, info)
            afterwards(lambda: late.respond(480))
            for share in holder.shares:
                self._legs.parent.notify("guessed", phone=share.key)
            return
        phone = self._phone_of(holder, message)
        up = self._legs.calls_up(phone)
        if phone.parked:
            afterwards(lambda: call.hangup(parameters(480)))
            return
        if up >= phone.config.max_calls:
            afterwards(lambda: call.hangup(parameters(486)))
            # A phone with one line is simply busy. A limit of several calls is the harness's, so a
            # refusal is reported.
            if up > 1 and invite is not None:
                phone.emit(CallsRefused, source=invite.remote_host)
            return
        leg = self._begin(phone, call, info)
        afterwards(lambda: self._obey(leg))

    def _begin(self, phone: HostedPhone, call: PjCall, info: Any) -> CallLeg:
        leg = CallLeg(self._legs, phone, info.callIdString, "incoming", info.remoteUri)
        leg.call = call
        call.listener = leg
        leg.state_changed()
        return leg

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
            with contextlib.suppress(Refusal):  # the caller has cancelled
                leg.respond(200, headers=policy.headers)
