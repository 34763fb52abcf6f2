"""What a phone process's pulses show: that it runs, and when it did not."""

from __future__ import annotations

import contextlib
import ctypes
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.phone.child.pulse import PulsingLoop
from harness.phone.process import PhoneProcess
from harness.phone.protocol import IDLE_PULSE_INTERVAL, PULSE_INTERVAL, Pulse, Wire
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
        self.child, self.owner, self.pulse = Wire(theirs), _Owner(), Pulse(100.0, 100.25)
        self._prepare(self.owner, Wire(ours), self.pulse, 5.0)
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
def test_missing_pulse_is_a_stall_while_it_lasts(
    process: _Process, clock: list[float], interval: float
) -> None:
    process.pulse.due = 100.0 + interval
    clock[0] = 100.0 + interval + 0.15
    assert process.stalls(0.0, 200.0) == []
    clock[0] = due = 100.0 + interval + 0.5
    assert process.stalls(101.0, 200.0) == ([Stall(101.0, due)] if due > 101 else [])
    assert process.stalls(0.0, 200.0) == [Stall(100.25, due)], "perhaps since the last pulse"
    process.pulse.at, process.pulse.due = due, due + interval
    assert process.stalls(0.0, 200.0) == [], "the child itself says how long it was"
    process.hears("notify", "stall", {"began": 100.25, "ended": due})
    assert process.owner.stalls == process.stalls(0.0, 200.0) == [Stall(100.25, due)]


def test_waiting_process_wakes_for_a_command_as_soon_as_one_with_calls(
    process: _Process, clock: list[float]
) -> None:
    process.pulse.due = 100.0 + IDLE_PULSE_INTERVAL
    clock[0] = 100.1
    process.post("arm", leg=1, mark=2)
    clock[0] = 100.5
    assert process.stalls(0.0, 200.0) == []
    clock[0] = 100.8
    assert process.stalls(0.0, 200.0) == [Stall(100.25, 100.8)]
    process.pulse.at, process.pulse.due = 100.7, 100.95
    assert process.stalls(0.0, 200.0) == []


def test_process_without_a_pulse_counts_as_hung_when_its_patience_is_over(
    process: _Process, clock: list[float]
) -> None:
    """Counted from the last pulse, whenever the last message came."""
    process.pulse.at, process.pulse.due = 101.5, 103.5
    assert process._patience_left(104.0) == 2.5
    assert process._patience_left(106.25) == PULSE_INTERVAL
    assert process._patience_left(106.5) == 0.0
    process.pulse.due = 106.5
    assert process._patience_left(106.6) == PULSE_INTERVAL, "it is not late"


def test_process_is_asked_once_whether_it_runs(process: _Process, clock: list[float]) -> None:
    """The message of a stall may come behind the pulse that follows it."""
    process.hears("done", 0, None)
    assert process.has_pulsed(100.0)
    clock[0] = process.pulse.at = 101.0
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
    process.pulse.at, process.pulse.due = 101.4, 103.4
    assert "had not stirred for 1.1 s" in str(process.stood_still)
    clock[0] = 103.5
    assert process.stood_still is None


class _Pjsua:
    """Stands for pjproject's library: what it does for as long as it handles events, and how many
    there were.
    """

    def __init__(self, *turns: Callable[[int], int]) -> None:
        left = iter(turns)
        self.asked_ms: list[int] = []

        def handle(milliseconds: int) -> int:
            self.asked_ms.append(milliseconds)
            return next(left)(milliseconds)

        self.pjsua_handle_events = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint)(handle)


def _loop(*turns: Callable[[int], int]) -> tuple[PulsingLoop, Pulse, _Pjsua, list[Stall]]:
    pulse, pjsua, late = Pulse(), _Pjsua(*turns), list[Stall]()
    loop = PulsingLoop(pulse, pjsua, late.append)  # type: ignore[arg-type]
    loop.beat()
    return loop, pulse, pjsua, late


def test_main_loop_pulses_until_an_event_was_handled() -> None:
    pulses = []

    def nothing(milliseconds: int) -> int:
        pulses.append((pulse.at, pulse.due))
        return 0

    loop, pulse, pjsua, late = _loop(nothing, nothing, lambda _: 1)
    began = time.monotonic()
    loop.handle_events(1000.0, is_idle=False)
    assert pjsua.asked_ms == [250, 250, 250]
    assert all(began <= at and due - at == pytest.approx(PULSE_INTERVAL) for at, due in pulses)
    assert pulse.at >= pulses[-1][0]
    assert not late


@pytest.mark.parametrize(
    ("longest", "is_idle", "asked_ms"),
    [(1000.0, True, 2000), (0.1001, True, 101), (0.1001, False, 101), (-1.0, False, 1)],
)
def test_main_loop_waits_no_longer_than_it_may(
    longest: float, is_idle: bool, asked_ms: int
) -> None:
    loop, _, pjsua, _ = _loop(lambda _: 1)
    loop.handle_events(longest, is_idle=is_idle)
    assert pjsua.asked_ms == [asked_ms]


@pytest.mark.parametrize("before", [True, False])
def test_main_loop_that_was_late_says_so(before: bool) -> None:
    """Before it waits for events, and after it has handled one: then it does not go on."""

    def stand_still(_: int = 0) -> int:
        pulse.due = time.monotonic() - 0.3
        return 0

    loop, pulse, pjsua, late = _loop(stand_still)
    if before:
        stand_still()
    loop.handle_events(1000.0, is_idle=False)
    (stall,) = late
    assert stall.seconds == pytest.approx(0.3, abs=0.1)
    assert len(pjsua.asked_ms) == (0 if before else 1)
    assert pulse.at >= stall.ended
    assert pulse.due > pulse.at
