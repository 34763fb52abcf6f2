from __future__ import annotations

import ctypes
import time

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
