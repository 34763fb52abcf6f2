"""A phone that sends nothing although its media flows both ways."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

from harness.calls.events import RtpStatistics
from harness.phone import recording
from harness.phone.pool import PhonePool
from harness.scenario.audio_quality import longest_mute_s
from tests.process.phone.conftest import Desk, connect


def test_a_leg_whose_audio_clock_waits_for_the_disk_is_mute(tmp_path: Path) -> None:
    """Here the file is a pipe that is not read; the main thread and the mark listener go on."""
    slow = recording.paths(tmp_path, "alice.1")[1]
    os.mkfifo(slow)
    pipe = os.open(slow, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        out, _ = connect(desk("alice"), desk("bob"))
        counted = 0

        def third(event: object) -> bool:
            nonlocal counted
            counted += isinstance(event, RtpStatistics)
            return counted >= 3

        since = out.events[-1].at
        out.wait("three counts", third, 10, since=since)
        mute_s = longest_mute_s(out, since)
        assert out.phone.process.stood_still is None
        os.kill(out.phone.process.pid, signal.SIGKILL)  # it would go on waiting
    os.close(pipe)
    assert mute_s > 1.0
