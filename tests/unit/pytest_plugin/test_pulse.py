from __future__ import annotations

import ctypes
import time

import pytest

from harness.pytest_plugin import pulse as pulse_module
from harness.pytest_plugin.pulse import LATE_S, Pulse


def test_being_woken_late_is_noticed_once() -> None:
    pulse = Pulse()
    pulse.take()
    ctypes.PyDLL(None).usleep(400_000)  # keeps the interpreter to itself: no thread of it can run
    deadline, late = time.monotonic() + 10, 0.0
    while late < LATE_S:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        late = pulse.take()
    assert late >= 0.3


def test_for_how_long_it_was_starved_between_two_moments() -> None:
    pulse = Pulse()
    begin = time.monotonic()
    ctypes.PyDLL(None).usleep(400_000)
    end = time.monotonic()
    deadline = end + 10
    while pulse.starved(begin, end) < 0.3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert pulse.starved(begin, end) <= end - begin
    assert pulse.starved(begin + 0.2, begin + 0.3) <= 0.11  # no more than there was of it in that time


def test_a_softphone_that_waits_for_a_processor_counts_by_the_kernels_account(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = {1: 5.0, 2: 0.0}
    monkeypatch.setattr(pulse_module, "_run_delay", lambda pid: waited.get(pid))
    pulse = Pulse()
    pulse.watch(lambda: [1, 2])
    begin = time.monotonic()
    pulse.starved(begin, begin)  # a sample
    waited[2] = 0.5
    time.sleep(0.2)
    assert pulse.starved(begin, begin + 0.2) == pytest.approx(0.2)  # the account is wider than what was asked for
    waited[2] = 0.0
    assert pulse.starved(time.monotonic(), time.monotonic() + 1) < 0.2


def test_where_the_kernel_keeps_no_account_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_module, "_run_delay", lambda pid: None)
    now = time.monotonic()
    assert Pulse().starved(now, now + 0.01) == 0.0


def test_many_short_waits_are_no_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = {1: 0.0}
    monkeypatch.setattr(pulse_module, "_run_delay", lambda pid: waited.get(pid))
    pulse = Pulse()
    pulse.watch(lambda: [1])
    begin = time.monotonic()
    for _ in range(8):
        pulse.starved(begin, begin)  # a sample
        waited[1] += 0.05
    ended = time.monotonic() + 0.5
    assert pulse.starved(begin, ended) == pytest.approx(min(0.4, ended - begin), abs=0.06)
    assert pulse.longest(begin, ended) <= 0.11
    waited[1] += 0.3
    assert pulse.longest(begin, ended) >= 0.29
