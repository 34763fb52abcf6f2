"""How a phone is given up, and refreshes its registration, while pjsip still waits for a registrar's answer."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import pytest

from harness.phone.child.account import AccountHolder, _Binding
from harness.phone.child.bindings import pj
from harness.phone.child.phones import Departures, Phones
from harness.phone.child.service import Service
from harness.phone.protocol import FAREWELL_SECONDS
from tests.unit.clock import Clock

CALL = 7


class Registered(AccountHolder):
    """An account whose REGISTERs are refused for so long: one is under way (PJSIP_EBUSY)."""

    def __init__(self, refusals: int) -> None:
        self.key, self.binding = 1, _Binding(active=True)
        self.refusals, self.asked, self.closed = refusals, 0, False
        self.account = self  # type: ignore[assignment]
        self.refresh_at = None

    def setRegistration(self, active: bool) -> None:
        self.asked += 1
        if self.asked <= self.refusals:
            raise pj.Error()
        self.binding.active = active

    def close(self) -> None:
        self.closed = True


class Legs:
    """Calls that are still up for so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def of(self, phone: object) -> list[Any]:
        self.looks -= 1
        return [self] if self.looks >= 0 else []

    def hang_up(self) -> None:
        pass


class Parent:
    answered: list[int]

    def __init__(self) -> None:
        self.answered = []

    def done(self, call: int, value: object) -> None:
        self.answered.append(call)


def departs(phone: Registered, calls_up_for: int) -> Parent:
    """Give it up, and look every 20 ms until it has gone."""
    parent = Parent()
    departures = Departures(Phones(), Legs(calls_up_for), parent, lambda: None)  # type: ignore[arg-type]
    departures.begin(phone, CALL)
    now = time.monotonic()
    while departures.are_under_way:
        assert parent.answered == []
        assert not phone.closed
        now += 0.02
        departures.tick(now)
    assert parent.answered == [CALL]
    assert phone.closed
    return parent


@pytest.mark.parametrize("calls_up_for", [0, 5])
def test_a_phone_whose_refresh_is_not_answered_yet_gives_its_registration_back_behind_it(calls_up_for: int) -> None:
    phone = Registered(refusals=3)
    departs(phone, calls_up_for)
    assert phone.asked == 4
    assert not phone.registered


@pytest.mark.parametrize("calls_up_for", [0, 5])
def test_a_phone_whose_registrar_stays_mute_goes_all_the_same(calls_up_for: int) -> None:
    phone = Registered(refusals=10**6)
    departs(phone, calls_up_for)
    assert 1 < phone.asked < 40, "each attempt writes three lines of the log that a crash is read from"


@pytest.mark.parametrize("refusals", [0, 3, 10**6])
def test_a_process_that_ends_gives_its_registrations_back_behind_a_refresh_as_well(
    monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    """Nobody comes after it: the platform would call a phone that is gone until its registration is over."""
    phone, clock = Registered(refusals), Clock()
    began = clock.now
    service = Service.__new__(Service)
    service.phones, service.legs = Phones(), []  # type: ignore[assignment]
    service.phones.add(phone)
    monkeypatch.setattr("harness.phone.child.service.time", clock)
    monkeypatch.setattr(service, "_turn", clock.wait)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit):
        service._farewell()
    assert phone.registered == (refusals == 10**6)
    assert 1 <= phone.asked < 40
    assert clock.now - began < 3 * FAREWELL_SECONDS, "its parent kills it"


def test_a_refresh_waits_for_the_answer_to_the_one_before() -> None:
    phone = Registered(refusals=2)
    phone.refresh_at = 10.0
    asked = []
    for now in (9.9, 10.0, 10.9, 11.0, 12.0, 13.0):
        phone.refresh(now)
        asked.append(phone.asked)
    assert asked == [0, 1, 1, 2, 3, 3]
    assert phone.refresh_at is None
