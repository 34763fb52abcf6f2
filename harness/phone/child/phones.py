"""The phones of a process, and how they are removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from harness.phone.child.account import AccountHolder, HostedPhone, PhoneShare
from harness.phone.child.legs import Legs
from harness.phone.child.parent_link import Parent
from harness.phone.protocol import FAREWELL_SECONDS


class Phones:
    """Phones by key: those with accounts, leased or parked, and cases' shares of them."""

    def __init__(self) -> None:
        self._accounts: dict[int, AccountHolder] = {}
        self._shares: dict[int, PhoneShare] = {}

    def accounts(self) -> Collection[AccountHolder]:
        """The phones with an account."""
        return self._accounts.values()

    def __iter__(self) -> Iterator[HostedPhone]:
        yield from self._accounts.values()
        yield from self._shares.values()

    def find(self, key: int) -> HostedPhone | None:
        """The phone or share with this key."""
        return self._accounts.get(key) or self._shares.get(key)

    def add(self, phone: AccountHolder | PhoneShare) -> None:
        if isinstance(phone, PhoneShare):
            self._shares[phone.key] = phone
        else:
            self._accounts[phone.key] = phone

    def remove(self, phone: HostedPhone) -> None:
        self._accounts.pop(phone.key, None)
        self._shares.pop(phone.key, None)


@dataclass
class _Departure:
    """A phone that is being removed, and the parent's call that waits for it."""

    phone: HostedPhone
    call: int
    deadline: float


class Departures:
    """Removes phones: they hang up, un-REGISTER and close. ``closing`` is called before a socket is closed."""

    def __init__(self, phones: Phones, legs: Legs, parent: Parent, closing: Callable[[], None]) -> None:
        self._phones, self._legs, self._parent, self._closing = phones, legs, parent, closing
        self._under_way: list[_Departure] = []

    @property
    def are_under_way(self) -> bool:
        """Whether a phone is being removed."""
        return bool(self._under_way)

    def begin(self, phone: HostedPhone, call: int) -> None:
        """Start to remove a phone; the parent's ``call`` is answered when that is done."""
        for leg in self._legs.of(phone):
            leg.hang_up()
        departure = _Departure(phone, call, time.monotonic() + 2 * FAREWELL_SECONDS)
        self._under_way.append(departure)
        self._proceed(departure, time.monotonic())

    def tick(self, now: float) -> None:
        """Continue all removals."""
        for departure in list(self._under_way):
            self._proceed(departure, now)

    def _proceed(self, departure: _Departure, now: float) -> None:
        phone = departure.phone
        if now < departure.deadline:
            if self._legs.of(phone):
                return
            if phone.registered and isinstance(phone, AccountHolder):
                phone.unregister(now)
                return
        self._under_way.remove(departure)
        self._phones.remove(phone)
        self._closing()
        phone.close()
        with contextlib.suppress(OSError):
            self._parent.done(departure.call, None)
