"""CPU starvation, with a scripted clock and kernel account."""

from typing import Any

import pytest

from harness.run.plugin import starvation
from harness.run.plugin.starvation import StarvationMonitor
from harness.support.stalls import Stall
from tests.unit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """The kernel's account: pid → seconds waited so far."""
    account: dict[int, float] = {}
    monkeypatch.setattr(starvation, "_run_delay", account.get)
    return account


def test_late_wakeup_is_measured_once(clock: Clock, waited: Any) -> None:
    monitor = StarvationMonitor(clock.monotonic)
    begin = clock.now
    monitor.woken(begin)
    assert monitor.take_lateness() == 0.0
    clock.now += 0.4
    monitor.woken(begin)
    assert monitor.take_lateness() == pytest.approx(0.4)
    assert monitor.take_lateness() == 0.0
    assert (
        monitor.starved(begin, clock.now)
        == monitor.starved_at_once(begin, clock.now)
        == pytest.approx(0.4)
    )
    assert monitor.starved(begin + 0.2, begin + 0.3) == pytest.approx(
        0.1
    )  # clipped to the interval
    assert monitor.starved(clock.now, clock.now + 1.0) == 0.0


def test_softphone_starvation_comes_from_the_kernels_account(
    clock: Clock, waited: dict[int, float]
) -> None:
    waited |= {1: 5.0, 2: 0.0}
    monitor = StarvationMonitor(clock.monotonic)
    monitor.watch(lambda: [1, 2])
    monitor.sample()
    begin = clock.now
    waited[2] = 0.5
    clock.now += 0.2
    assert monitor.starved(begin, begin + 0.2) == pytest.approx(
        0.2
    )  # clipped: the sample interval is longer


def test_many_short_waits_are_not_one_long_wait(clock: Clock, waited: dict[int, float]) -> None:
    waited[1] = 0.0
    monitor = StarvationMonitor(clock.monotonic)
    monitor.watch(lambda: [1])
    begin = clock.now
    for _ in range(8):
        monitor.sample()
        waited[1] += 0.05
        clock.now += 0.25
    assert monitor.starved(begin, clock.now) == pytest.approx(0.4)
    assert monitor.starved_at_once(begin, clock.now) == pytest.approx(0.1)
    waited[1] += 0.3
    assert monitor.starved_at_once(begin, clock.now) >= 0.3


def test_stall_that_is_just_over_is_known_before_its_thread_wakes_up(
    clock: Clock, waited: Any
) -> None:
    """The thread of the case may be the first to run again."""
    monitor = StarvationMonitor(clock.monotonic)
    begin = monitor._due = clock.now
    clock.now += 0.6
    assert monitor.stalls(begin - 1.0, clock.now) == [Stall(begin, clock.now)]
    monitor.woken(begin)
    monitor._due = clock.now + 0.05
    assert monitor.stalls(begin - 1.0, clock.now) == [Stall(begin, clock.now)]
    assert monitor.stalls(clock.now, clock.now + 1.0) == []


def test_share_waited_counts_the_world_of_the_case_alone(
    clock: Clock, waited: dict[int, float]
) -> None:
    waited |= {1: 0.0, 7: 0.0, 8: 0.0}
    monitor = StarvationMonitor(clock.monotonic)
    monitor.watch(lambda: [1], lambda: [7, 8])
    monitor.sample()
    begin = clock.now
    waited |= {1: 0.1, 7: 0.4, 8: 0.9}
    clock.now += 1.0
    assert monitor.share_waited(begin, clock.now, 7) == pytest.approx(0.4)
    assert monitor.share_waited(begin, clock.now, None) == pytest.approx(0.1)
    assert monitor.starved(begin, clock.now) == pytest.approx(0.1)
