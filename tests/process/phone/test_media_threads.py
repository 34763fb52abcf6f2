"""What a phone process costs between calls: pjmedia's threads rest, and the others wake up rarely."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.phones import connect, hears, recorded, settle
from tests.process.phone.conftest import Desk

_MEDIA = ("media", "clock")


def wakeups(pid: int) -> dict[str, int]:
    """How often each of pjmedia's threads has run so far."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        name = (thread / "comm").read_text().strip()
        if name in _MEDIA:
            found[name] = int((thread / "schedstat").read_text().split()[2])
    return found


def rests(pid: int) -> bool:
    """Whether the media thread and the clock sleep for half a second on end."""
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        before = wakeups(pid)
        time.sleep(0.5)
        if wakeups(pid) == before:
            return True
    return False


def test_media_threads_rest_between_calls_and_each_call_has_audio(own: Desk) -> None:
    caller, callee = own("caller"), own("callee")
    settle(caller, callee)
    (pid,) = own.pool.pids
    assert rests(pid)
    for _ in range(2):
        out, back = connect(caller, callee)
        hears(out, back)
        hears(back, out)
        assert set(wakeups(pid)) == set(_MEDIA)
        out.hangup()
        assert all(Path(recorded(leg).path).stat().st_size > 44 for leg in (out, back))
        assert rests(pid)


def wakes_rarely(pid: int) -> bool:
    """Whether all threads wake up ten times in a second at the most."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        before = switches(pid)
        began = time.monotonic()
        time.sleep(1.0)
        if switches(pid) - before <= 10 * (time.monotonic() - began):
            return True
    return False


def switches(pid: int) -> int:
    """How often the threads of a process have waited for something so far."""
    statuses = [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    lines = [line for status in statuses for line in status.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


def test_waiting_phones_wake_rarely_and_know_when_they_stood_still(own: Desk) -> None:
    """A run has fifty such processes. Here they woke 18 times a second."""
    caller, callee = own("caller"), own("callee")
    out, back = connect(caller, callee)
    hears(out, back)
    out.hangup()
    settle(caller, callee)
    (pid,) = own.pool.pids
    assert wakes_rarely(pid)
    stopped = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        while (now := time.monotonic()) < stopped + 0.6:  # less than the time between its pulses
            time.sleep(0.02)
    finally:
        os.kill(pid, signal.SIGCONT)
    caller.command("free_slots")
    ((stall,),) = own.pool.stalls(stopped, now)
    assert stall.seconds > 0.5, "known before its next answer"
    out, back = connect(caller, callee)
    hears(out, back)
