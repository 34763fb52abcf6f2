"""The legs of the process: which there are, when each is closed, and the call slots they take."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Final

from harness.case.events import Recorded
from harness.phone.child.account import AccountHolder, HostedPhone
from harness.phone.child.attribution import Attribution
from harness.phone.child.leg import CallLeg
from harness.phone.child.media import PlayerFactory
from harness.phone.child.messages import WireMessage
from harness.phone.child.parent import Parent
from harness.phone.child.socket_limits import LONGEST_TRANSACTION, SocketSlots
from harness.phone.child.stack import Endpoint
from harness.support.memory import FreedMemory

#: After the last leg is closed: the audio clock removes what is left of it from the bridge at its
#: next ticks.
_MEDIA_LASTS_S: Final = 0.5


class Legs:
    """Announces to the parent when a leg begins and when it is closed.

    A leg is unfinished until the far end knows that the call is over and its recordings are
    complete (`CallLeg.finished`). For as long as pjsua may hold its call slot after that, messages
    of its dialog are still the leg's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        parent: Parent,
        players: PlayerFactory,
        attribution: Attribution,
        socket_slots: SocketSlots,
    ) -> None:
        self.endpoint = endpoint
        self.parent = parent
        self.players = players
        self._attribution = attribution
        self._socket_slots = socket_slots
        self._keys = itertools.count(1)
        self._by_key: dict[int, CallLeg] = {}
        self.ending: list[CallLeg] = []  #: over, but not finished
        # Finished, but pjsua may still hold the call slot: with the time to forget the leg.
        self._lingering: list[tuple[float, CallLeg]] = []
        self._freed = FreedMemory()
        self._media_until = 0.0

    def __iter__(self) -> Iterator[CallLeg]:
        """The unfinished legs, as a snapshot."""
        return iter(list(self._by_key.values()))

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def find(self, key: int) -> CallLeg | None:
        """The unfinished leg with this key."""
        return self._by_key.get(key)

    def of(self, phone: HostedPhone) -> list[CallLeg]:
        """The unfinished legs of a phone."""
        return [leg for leg in self._by_key.values() if leg.phone is phone]

    # Call slots.

    @property
    def slots_taken(self) -> int:
        """The call slots that pjsua holds, as far as the messages show."""
        legs = list(self._by_key.values())
        taken = [leg for leg in legs if not (leg.disconnected and leg.settled)]
        taken += [leg for _, leg in self._lingering if not leg.settled]
        return len(taken)

    def free_slots(self) -> int:
        """Calls this process can still make or take."""
        return self.endpoint.most_calls - max(self.slots_taken, self.endpoint.native.calls())

    def unpromised_slots(self, phones: Iterable[AccountHolder]) -> int:
        """Free call slots that remain when each of all ``phones`` has its maximum of calls;
        negative if there are too few.
        """
        return self.free_slots() - sum(map(self._may_begin, phones))

    def _may_begin(self, phone: AccountHolder) -> int:
        up = self.calls_up(phone)
        for share in phone.shares:
            up += self.calls_up(share)
        return max(0, phone.config.max_calls - up)

    def calls_up(self, phone: HostedPhone) -> int:
        """How many calls a phone has."""
        return sum(1 for leg in self.of(phone) if not leg.disconnected)

    @property
    def may_free_a_slot(self) -> bool:
        """Whether a leg only waits for the answer to its BYE or CANCEL: pjsua frees its call slot
        then.
        """
        return any(not leg.settled for leg in self.ending)

    # What a leg needs (LegHost).

    def new_key(self) -> int:
        return next(self._keys)

    def arrived(self) -> WireMessage:
        """The received request that pjsip handles now."""
        assert self._attribution.arrived is not None
        return self._attribution.arrived

    def begins(self, leg: CallLeg) -> None:
        """Announce a leg, then deliver its messages that came before."""
        self.endpoint.media_threads.start()
        self._by_key[leg.key] = leg
        before = self._attribution.begins(leg)
        at = time.monotonic()
        if before:
            at, _ = before[0]
        self.parent.notify(
            "leg_started",
            at=at,
            phone=leg.phone.key,
            leg=leg.key,
            name=leg.name,
            direction=leg.direction,
            remote_uri=leg.remote,
            mark=leg.media.mark,
            replaces=leg.replaces.key if leg.replaces else None,
        )
        self._attribution.catch_up(leg, before)

    def ends(self, leg: CallLeg) -> None:
        """Note that a leg is over for pjsua."""
        self.ending.append(leg)
        transaction = (leg.branch, leg.call_id) if leg.branch else None
        self._socket_slots.closed(transaction)

    def tick(self, now: float) -> None:
        """Close finished legs, and forget those whose call slots are free."""
        finished = [leg for leg in self.ending if leg.finished(now)]
        for leg in finished:
            self._finish(leg, now)
        for entry in list(self._lingering):
            forget_at, leg = entry
            if leg.settled or now >= forget_at:
                self._lingering.remove(entry)
                self._attribution.forget(leg)
        if not self._by_key and now >= self._media_until:
            self.endpoint.media_threads.stop()

    def _finish(self, leg: CallLeg, now: float) -> None:
        """Close a leg that is over for both sides; pjsua may hold its call slot for a while."""
        self.ending.remove(leg)
        del self._by_key[leg.key]
        if leg.settled:
            self._attribution.forget(leg)
        else:
            self._lingering.append((now + LONGEST_TRANSACTION, leg))
        if leg.media.recordings:
            received, sent = leg.media.recordings
            leg.emit(Recorded, path=str(received), sent_path=str(sent))
        self.parent.notify("leg_closed", phone=leg.phone.key, leg=leg.key)
        if not self._by_key:
            self._media_until = now + _MEDIA_LASTS_S
            self._freed.give_back()
