"""What a phone process's pulses show: that it runs, and when it did not."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from harness.phone.process import PhoneProcess
from harness.phone.protocol import IDLE_PULSE_INTERVAL, PULSE_INTERVAL, Wire
from harness.support.stalls import Stall


class _Owner:
    """Collects notices and stalls."""

    def __init__(self) -> None:
        self.notices: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.stalls: list[Stall] = []

    def notified(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> None:
        self.notices.put(name)

    def asked(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> Any:
        raise AssertionError(name)

    def stalled(self, process: PhoneProcess, stall: Stall) -> None:
        self.stalls.append(stall)

    def lost(self, process: PhoneProcess, reason: str, log: str) -> None:
        raise AssertionError(reason)


class _Process(PhoneProcess):
    """The parent's side alone: the test is the child."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.child, self.owner = Wire(theirs), _Owner()
        self._prepare(self.owner, Wire(ours), 5.0)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def hears(self, *message: Any) -> None:
        """Take a message of the child."""
        self.child.send(*message)
        self.child.send("notify", "events", {})  # of another thread, which shows nothing
        self.owner.notices.get(timeout=10)

    def close(self) -> None:
        self._closing = True
        self.child.close()
        self._reader.join(10)
        self._wire.close()

    def log(self) -> str:
        return ""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr("harness.phone.process.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def process(clock: list[float]) -> Iterator[_Process]:
    with contextlib.closing(_Process()) as process:
        yield process


@pytest.mark.parametrize("interval", [PULSE_INTERVAL, IDLE_PULSE_INTERVAL])
def test_missing_pulse_is_a_stall_from_the_time_it_was_due(
    process: _Process, clock: list[float], interval: float
) -> None:
    process.hears("notify", "pulse", {"within": interval})
    clock[0] = 100.0 + interval + 0.15
    assert process.stalls(0.0, 200.0) == []
    process.hears("notify", "pulse", {"within": interval})
    assert process.owner.stalls == []
    due = clock[0] + interval
    clock[0] = due + 0.5
    assert process.stalls(due, 200.0) == [Stall(due, clock[0])], "while it lasts"
    process.hears("done", 0, None)
    assert process.owner.stalls == process.stalls(0.0, 200.0) == [Stall(due, due + 0.5)]


def test_waiting_process_answers_a_command_as_soon_as_one_with_calls(
    process: _Process, clock: list[float]
) -> None:
    process.hears("notify", "pulse", {"within": IDLE_PULSE_INTERVAL})
    clock[0] = 100.1
    process.post("arm", leg=1, mark=2)
    clock[0] = 100.8
    (stall,) = process.stalls(0.0, 200.0)
    assert stall == Stall(100.25, 100.8), "it may have stood still since it was last heard"
    process.hears("done", 0, None)
    assert process.owner.stalls == [Stall(100.35, 100.8)]


def test_waiting_process_is_asked_once_whether_it_runs(
    process: _Process, clock: list[float]
) -> None:
    process.hears("notify", "pulse", {"within": IDLE_PULSE_INTERVAL})
    assert process.has_pulsed(100.0)
    clock[0] = 101.0
    assert not process.has_pulsed(100.5)
    assert not process.has_pulsed(100.5)
    assert process.child.receive(10) == ["call", 0, "free_slots", {}]
    with pytest.raises(TimeoutError):
        process.child.receive(0.0001)
    process.hears("done", 0, 4)
    assert process.has_pulsed(100.5)


def test_process_that_was_stopped_for_long_proves_nothing_for_a_while(
    process: _Process, clock: list[float]
) -> None:
    clock[0] = 101.5
    process.hears("notify", "stall", {"began": 100.3, "ended": 101.4})
    process.hears("notify", "pulse", {"within": IDLE_PULSE_INTERVAL})
    assert "had not stirred for 1.2 s" in str(process.stood_still)
    clock[0] = 103.5
    process.hears("notify", "pulse", {"within": PULSE_INTERVAL})
    assert process.stood_still is None
