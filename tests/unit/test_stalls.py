"""A process knows when it did not run, and a wait goes on after having slept through its deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from harness.phone.waiter import NeverCame, wait_for
from harness.support.stalls import Stall, Watch, within

CHILD = """import time
from harness.support.stalls import Watch
watch = Watch(lambda stall: print(stall.began, stall.ended, flush=True))
watch.be_idle(%s)
watch.start()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("is_idle", [False, True])
def test_stopped_process_measures_its_own_stall(is_idle: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD % is_idle], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)  # it has stopped
        stopped = time.monotonic()
        time.sleep(0.55)
        gone_on = time.monotonic()
        child.send_signal(signal.SIGCONT)
        began, ended = map(float, child.stdout.readline().split())
        child.kill()
    assert began <= stopped
    assert ended >= gone_on


def test_stall_is_noted_once_by_whoever_looks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread, which was on time at first, does not run again."""
    clock = [100.0]
    monkeypatch.setattr("harness.support.stalls._watch", lambda *_: threading.Event().wait())
    monkeypatch.setattr("harness.support.stalls.time.monotonic", lambda: clock[0])
    noted: list[Stall] = []
    watch = Watch(noted.append)
    watch.start()
    for clock[0] in (100.2, 101.0, 101.1):
        watch.look()
    assert noted == [Stall(100.0, 101.0)]


def test_the_part_of_a_stall_between_two_moments() -> None:
    stalls = [Stall(1.0, 2.0), Stall(4.0, 6.0), Stall(8.0, 9.0)]
    assert within(stalls, 1.5, 5.0) == [Stall(1.5, 2.0), Stall(4.0, 5.0)]


def test_a_stall_that_two_measured_counts_once() -> None:
    """The process itself, and who waited for its pulse."""
    stalls = [Stall(4.0, 6.0), Stall(1.0, 2.0), Stall(4.3, 6.1), Stall(7.0, 7.5)]
    assert within(stalls, 0.0, 9.0) == [Stall(1.0, 2.0), Stall(4.0, 6.1), Stall(7.0, 7.5)]


class Sleeper(threading.Condition):
    """Its process is stopped during a wait; the event is read only in the wait after it."""

    def __init__(self, clock: list[float], stopped_s: float) -> None:
        super().__init__()
        self._clock, self._stopped_s = clock, stopped_s
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        self._clock[0] += (timeout or 0.0) + (self._stopped_s if self.waits == 1 else 0.0)
        return False


@pytest.mark.parametrize(
    ("stopped_s", "stalled_s", "comes"),
    [(2.0, 0.0, True), (0.0, 0.0, False), (0.0, 1.5, True)],
    ids=["this process stalled", "nothing stalled", "the softphone stalled"],
)
def test_wait_that_slept_through_its_deadline_looks_again(
    monkeypatch: pytest.MonkeyPatch, stopped_s: float, stalled_s: float, comes: bool
) -> None:
    clock = [100.0]
    monkeypatch.setattr("harness.phone.waiter.time.monotonic", lambda: clock[0])
    changed = Sleeper(clock, stopped_s)

    def wait() -> str:
        return wait_for(
            changed,
            lambda: "event" if changed.waits > 1 else None,
            goal="an event",
            within=0.5,
            subject="phone",
            hopeless=lambda: None,
            log=str,
            stalled=lambda begin, end: stalled_s,
        )

    if comes:
        assert wait() == "event"
    else:
        with pytest.raises(NeverCame):
            wait()
