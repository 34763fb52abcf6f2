"""Offers that cross (glare): the answer to an offer that comes while another is under way (RFC 3261 section 14, RFC 3311)."""

from __future__ import annotations

import random
from typing import Literal

from harness.world.wire.indialog import InDialogRequest
from harness.world.wire.session import SessionPolicy, too_small
from harness.world.wire.timers import Timers

_T1 = 0.5  # the T1 for which RFC 3261 section 14.1 gives its 491 waits


def glare_wait(role: Literal["uac", "uas"], timers: Timers) -> float:
    """Seconds until an offer that got a 491 is made again: the owner of the Call-ID waits longer, so that two don't collide."""
    wait = random.uniform(2.1, 4.0) if role == "uac" else random.uniform(0.0, 2.0)
    return wait * timers.t1 / _T1


class OfferTurns:
    """The offers of one call that are not settled yet, ours and the peer's."""

    def __init__(self, policy: SessionPolicy | None) -> None:
        self._policy = policy
        self.inviting = False  #: a re-INVITE of ours is under way
        self.offering = False  #: an UPDATE of ours with an offer is
        self.invited: InDialogRequest | None = None  #: the peer's last re-INVITE
        self._updated: InDialogRequest | None = None

    def takes_invite(self, incoming: InDialogRequest, *, early: bool) -> bool:
        """Whether a re-INVITE may be dealt with; it has been refused otherwise."""
        if self.inviting or self.offering:
            incoming.respond(491)
        elif early or (self.invited is not None and not self.invited.settled.is_set):
            _refuse_for_now(incoming)
        elif not self._too_small(incoming):
            self.invited = incoming
            return True
        return False

    def takes_update(self, incoming: InDialogRequest) -> bool:
        """Whether an UPDATE may be dealt with; it has been refused otherwise."""
        if incoming.offer is not None and (self.inviting or self.offering):
            incoming.respond(491)
        elif incoming.offer is not None and self._updated is not None and not self._updated.is_answered:
            _refuse_for_now(incoming)
        elif not self._too_small(incoming):
            self._updated = incoming
            return True
        return False

    def _too_small(self, incoming: InDialogRequest) -> bool:
        least = too_small(self._policy, incoming.request)
        if least is not None:
            incoming.respond(422, headers=[("Min-SE", str(least))])
        return least is not None

    async def settled(self) -> None:
        """Until the peer's last re-INVITE is settled."""
        if self.invited is not None:
            await self.invited.settled

    def end(self) -> None:
        """The call is over: nothing will settle it any more."""
        if self.invited is not None:
            self.invited.settled.set(False)
        self.invited = self._updated = None  # they know the call, which owns this


def _refuse_for_now(incoming: InDialogRequest) -> None:
    incoming.respond(500, headers=[("Retry-After", str(random.randint(0, 10)))])
