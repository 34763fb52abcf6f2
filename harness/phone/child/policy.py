"""Incoming calls: a phone's policy decides what to do with them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from harness.calls.events import CallsRefused
from harness.phone.child.account import AccountHolder, HostedPhone
from harness.phone.child.bindings import Call, Refusal, parameters
from harness.phone.child.leg import CallLeg, LegHost
from harness.phone.child.shared_phones import case_of
from harness.phone.child.sip_log import LoggedMessage
from harness.phone.protocol import Answer, Early, Reject, Ring


class PolicyHost(LegHost, Protocol):
    """What incoming calls need from the process."""

    def calls_up(self, phone: HostedPhone) -> int:
        """How many calls a phone has."""

    def invite_of(self, call_id: str) -> LoggedMessage | None:
        """The INVITE of a call that has no leg yet."""

    def guessed(self, phone: HostedPhone) -> None:
        """A call came that may have been meant for ``phone``, or for another that shares its account."""


class IncomingCalls:
    """Creates the legs of incoming calls, and answers those that ring for a while first."""

    def __init__(self, host: PolicyHost) -> None:
        self._host = host
        self._ringing: list[tuple[float, CallLeg, Answer]] = []  # with the time of the answer

    def take(self, holder: AccountHolder, call_id: int) -> None:
        """Create a leg for pjsua's call ``call_id`` and apply the phone's policy; refuse the call if the phone is parked or full."""
        host = self._host
        call = Call(holder.account, None, call_id)
        info = call.getInfo()
        invite = host.invite_of(info.callIdString)
        phone = self._whose(holder, invite)
        up = host.calls_up(phone)
        if phone.parked or up >= phone.config.max_calls:
            code = 480 if phone.parked else 486
            host.afterwards(lambda: call.hangup(parameters(code)))
            # A phone with one line is simply busy. A limit of several calls is the harness's, so a refusal is reported.
            if not phone.parked and up > 1 and invite is not None:
                phone.emit(CallsRefused, source=invite.remote_host)
            return
        leg = CallLeg(host, phone, info.callIdString, "incoming", info.remoteUri)
        leg.call, call.listener = call, leg
        leg.state_changed()
        host.afterwards(lambda: self._obey(leg))

    def _whose(self, phone: AccountHolder, invite: LoggedMessage | None) -> HostedPhone:
        """The phone itself, or the share of the case that the call belongs to."""
        if not phone.shares:
            return phone
        found, guesses = case_of(phone.shares, invite.text if invite is not None else "")
        for share in guesses:
            self._host.guessed(share)
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
        for entry in [entry for entry in self._ringing if now >= entry[0] or entry[1].call is None]:
            self._ringing.remove(entry)
            with contextlib.suppress(Refusal):
                entry[1].respond(200, headers=entry[2].headers)
