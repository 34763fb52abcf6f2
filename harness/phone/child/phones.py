"""The phones of a process, and how one is given up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from harness.phone.child.account import AccountHolder, HostedPhone, Lodger
from harness.phone.child.legs import Legs
from harness.phone.child.parent import Parent
from harness.phone.protocol import FAREWELL_SECONDS


class Phones:
    """By their keys: accounts, leased or parked, and the shares that cases have of some."""

    def __init__(self) -> None:
        self._accounts: dict[int, AccountHolder] = {}
        self._shares: dict[int, Lodger] = {}

    def accounts(self) -> Collection[AccountHolder]:
        """Those with an account of their own."""
        return self._accounts.values()

    def __iter__(self) -> Iterator[HostedPhone]:
        yield from self._accounts.values()
        yield from self._shares.values()

    def find(self, key: int) -> HostedPhone | None:
        """The phone or share of that key."""
        return self._accounts.get(key) or self._shares.get(key)

    def add(self, phone: AccountHolder | Lodger) -> None:
        """There is another."""
        if isinstance(phone, Lodger):
            self._shares[phone.key] = phone
        else:
            self._accounts[phone.key] = phone

    def remove(self, phone: HostedPhone) -> None:
        """It is gone."""
        self._accounts.pop(phone.key, None)
        self._shares.pop(phone.key, None)


@dataclass
class _Departure:
    """A phone that is being given up, and the parent's call that waits for it."""

    phone: HostedPhone
    call: int
    deadline: float


class Departures:
    """Phones that hang up, un-REGISTER and close, one after the other; ``closing`` is called before a socket is closed."""

    def __init__(self, phones: Phones, legs: Legs, parent: Parent, closing: Callable[[], None]) -> None:
        self._phones, self._legs, self._parent, self._closing = phones, legs, parent, closing
        self._under_way: list[_Departure] = []

    @property
    def are_under_way(self) -> bool:
        """Whether a phone is about to go."""
        return bool(self._under_way)

    def begin(self, phone: HostedPhone, call: int) -> None:
        """Give a phone up, and answer the parent's ``call`` when that is done."""
        for leg in self._legs.of(phone):
            leg.hang_up()
        departure = _Departure(phone, call, time.monotonic() + 2 * FAREWELL_SECONDS)
        self._under_way.append(departure)
        self._proceed(departure, time.monotonic())

    def tick(self, now: float) -> None:
        """See how far they are."""
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
