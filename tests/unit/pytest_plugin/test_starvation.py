from __future__ import annotations

import ctypes
import time

import pytest

from harness.run.plugin import starvation
from harness.run.plugin.starvation import LATE_S, StarvationMonitor


def test_being_woken_late_is_noticed_once() -> None:
    monitor = StarvationMonitor()
    monitor.take_lateness()
    ctypes.PyDLL(None).usleep(400_000)  # keeps the interpreter to itself: no thread of it can run
    deadline, late = time.monotonic() + 10, 0.0
    while late < LATE_S:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        late = monitor.take_lateness()
    assert late >= 0.3


def test_for_how_long_it_was_starved_between_two_moments() -> None:
    monitor = StarvationMonitor()
    begin = time.monotonic()
    ctypes.PyDLL(None).usleep(400_000)
    end = time.monotonic()
    deadline = end + 10
    while monitor.starved(begin, end) < 0.3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert monitor.starved(begin, end) <= end - begin
    assert monitor.starved(begin + 0.2, begin + 0.3) <= 0.11  # no more than there was of it in that time


def test_a_softphone_that_waits_for_a_processor_counts_by_the_kernels_account(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = {1: 5.0, 2: 0.0}
    monkeypatch.setattr(starvation, "_run_delay", lambda pid: waited.get(pid))
    monitor = StarvationMonitor()
    monitor.watch(lambda: [1, 2])
    begin = time.monotonic()
    monitor.starved(begin, begin)  # a sample
    waited[2] = 0.5
    time.sleep(0.2)
    assert monitor.starved(begin, begin + 0.2) == pytest.approx(0.2)  # the account is wider than what was asked for
    waited[2] = 0.0
    assert monitor.starved(time.monotonic(), time.monotonic() + 1) < 0.2


def test_where_the_kernel_keeps_no_account_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starvation, "_run_delay", lambda pid: None)
    now = time.monotonic()
    assert StarvationMonitor().starved(now, now + 0.01) == 0.0


def test_many_short_waits_are_no_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = {1: 0.0}
    monkeypatch.setattr(starvation, "_run_delay", lambda pid: waited.get(pid))
    monitor = StarvationMonitor()
    monitor.watch(lambda: [1])
    begin = time.monotonic()
    for _ in range(8):
        monitor.starved(begin, begin)  # a sample
        waited[1] += 0.05
    ended = time.monotonic() + 0.5
    assert monitor.starved(begin, ended) == pytest.approx(min(0.4, ended - begin), abs=0.06)
    assert monitor.starved_at_once(begin, ended) <= 0.11
    waited[1] += 0.3
    assert monitor.starved_at_once(begin, ended) >= 0.29
