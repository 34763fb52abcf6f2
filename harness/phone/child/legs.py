"""The calls of a process, from their beginning until pjsua has freed their call slots."""

from __future__ import annotations

import time
from collections.abc import Iterator

from harness.calls.events import Recorded
from harness.phone.child.account import HostedPhone
from harness.phone.child.attribution import Attribution
from harness.phone.child.leg import CallLeg
from harness.phone.child.parent_link import Parent
from harness.phone.child.socket_limits import LONGEST_TRANSACTION
from harness.support.memory import FreedMemory


class Legs:
    """Tells the parent when a leg begins and when it is closed."""

    def __init__(self, attribution: Attribution, parent: Parent) -> None:
        self._attribution, self._parent = attribution, parent
        self._by_key: dict[int, CallLeg] = {}
        self._ending: list[CallLeg] = []  # over, but not finished
        self._lingering: list[tuple[float, CallLeg]] = []  # finished, but pjsua may still hold the call slot
        self._freed = FreedMemory()

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

    @property
    def slots_taken(self) -> int:
        """The call slots that pjsua holds, as far as the messages show."""
        taken = sum(1 for leg in self._by_key.values() if not (leg.disconnected and leg.settled))
        return taken + sum(1 for _, leg in self._lingering if not leg.settled)

    @property
    def are_ending(self) -> bool:
        """Whether one is over, but not finished."""
        return bool(self._ending)

    @property
    def may_free_a_slot(self) -> bool:
        """Whether a leg only waits for the answer to its BYE or CANCEL: pjsua frees its call slot then."""
        return any(not leg.settled for leg in self._ending)

    def begins(self, leg: CallLeg) -> None:
        """Announce a leg, then deliver its messages that came before."""
        self._by_key[leg.key] = leg
        before = self._attribution.begins(leg)
        self._parent.tell(
            "leg_started",
            at=before[0][0] if before else time.monotonic(),
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
        self._ending.append(leg)

    def tick(self, now: float) -> None:
        """Close finished legs, and forget those whose call slots are free."""
        for leg in [leg for leg in self._ending if leg.finished(now)]:
            self._finish(leg, now)
        for over in [entry for entry in self._lingering if entry[1].settled or now >= entry[0]]:
            self._lingering.remove(over)
            self._attribution.forget(over[1])

    def _finish(self, leg: CallLeg, now: float) -> None:
        self._ending.remove(leg)
        del self._by_key[leg.key]
        if leg.settled:
            self._attribution.forget(leg)
        else:
            self._lingering.append((now + LONGEST_TRANSACTION, leg))
        if leg.media.recordings:
            received, sent = leg.media.recordings
            leg.emit(Recorded, path=str(received), sent_path=str(sent))
        self._parent.tell("leg_closed", phone=leg.phone.key, leg=leg.key)
        if not self._by_key:
            self._freed.give_back()
