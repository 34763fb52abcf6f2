"""pjmedia's threads run while there is a call, and rest between calls."""

from __future__ import annotations

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


def rests(pid: int, within: float = 5.0) -> bool:
    """Whether the media thread sleeps, and the clock is stopped, for half a second on end."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        before = wakeups(pid)
        time.sleep(0.5)
        if wakeups(pid) == before and set(before) == {"media"}:
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
