"""A phone that sends nothing although its media flows both ways: told from one on hold, and from one that nobody can hear."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.calls.events import MediaState, RtpStatistics
from harness.phone import Answer, Silence, recording
from harness.phone.leg import Leg
from harness.phone.pool import PhonePool
from harness.scenario.audio_quality import longest_mute_s
from tests.process.phone.conftest import Desk, connect
from tests.stranger import AUDIO, SESSION, Stranger


def mute_s_after(change: Callable[[Leg], object], leg: Leg) -> float:
    """How long the leg was mute in the time of three counts after a change."""
    change(leg)
    since = leg.events[-1].at
    counted: list[RtpStatistics] = []

    def third(event: object) -> bool:
        if isinstance(event, RtpStatistics) and event not in counted:
            counted.append(event)
        return len(counted) >= 3

    leg.wait("three counts", third, 10, since=since)
    return longest_mute_s(leg, since)


def goes_on_hold(leg: Leg) -> None:
    leg.hold()
    leg.wait("hold", lambda e: isinstance(e, MediaState) and e.direction != "sendrecv", 10)


@pytest.mark.parametrize(
    "change", [lambda leg: None, lambda leg: leg.play(Silence()), goes_on_hold], ids=["speaking", "silent", "on-hold"]
)
def test_a_leg_that_sends_what_it_should_is_not_mute(lease: Desk, change: Callable[[Leg], object]) -> None:
    out, _ = connect(lease("alice"), lease("bob"))
    assert mute_s_after(change, out) < 1.0


def test_a_leg_whose_audio_clock_waits_for_the_disk_is_mute(tmp_path: Path) -> None:
    """Here it is a pipe that nobody empties; the main thread goes on, and so does the ear, which reads the other file."""
    slow = recording.paths(tmp_path, "alice.1")[1]
    os.mkfifo(slow)
    pipe = os.open(slow, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        out, _ = connect(desk("alice"), desk("bob"))
        mute_s = mute_s_after(lambda leg: None, out)
        assert out.phone.process.stood_still is None
        os.kill(out.phone.process.pid, signal.SIGKILL)  # it would go on waiting
    os.close(pipe)
    assert mute_s > 1.0


@pytest.mark.parametrize("host", ["255.255.255.255", "127.0.0.1"])
def test_what_is_sent_where_nothing_can_arrive_is_sent_all_the_same(lease: Desk, stranger: Stranger, host: str) -> None:
    """The platform's SDP is to blame there: a broadcast address, to which no socket may send, and a port nobody has."""
    bob = lease("bob")
    bob.policy = Answer()
    offer = SESSION.replace("c=IN IP4 {host}", f"c=IN IP4 {host}") + AUDIO.replace("{port}", "9")
    answer = stranger.calls(bob, offer)
    leg = bob.expect_call(10)
    leg.wait("media", lambda e: isinstance(e, MediaState) and e.active and e.direction == "sendrecv", 10)
    assert mute_s_after(lambda leg: None, leg) < 1.0
    assert stranger.hangs_up(bob, answer).status == 200
