"""Child processes that crash, are killed or hang: waits end, calls are ended for them, and the next
lease gets a new child.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from harness.case.events import Listened, MarkHeard, PhoneLost, Recorded
from harness.errors import PhoneLostError
from harness.phone import PhonePool
from tests.loopback import fresh_address
from tests.phones import Desk, connect, event_of, hears, uri_of


def kill(desk: Desk, how: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to the one child of a desk; returns its number."""
    (pid,) = desk.pool.pids
    os.kill(pid, how)
    return pid


def test_a_crash_ends_the_phone_and_the_next_lease_gets_a_new_child(own: Desk) -> None:
    alice = own("alice")
    pid = kill(own, signal.SIGABRT)
    with pytest.raises(PhoneLostError, match="its process ended by SIGABRT") as caught:
        alice.next_call(10)
    assert "pjsua_core" in str(caught.value), "the last lines of the child's log"
    (lost,) = [event for event in own.events if isinstance(event, PhoneLost)]
    assert (lost.phone, lost.reason) == ("alice", "its process ended by SIGABRT")
    assert lost in alice.events
    with pytest.raises(PhoneLostError):
        alice.dial("sip:+12065550102@127.0.0.1")
    alice.release()  # without complaint
    out, back = connect(own("alice", user=alice.config.user), own("bob"))
    hears(out, back)
    assert pid not in own.pool.pids


def test_a_wait_for_audio_ends_when_the_child_is_killed(own: Desk) -> None:
    out, _ = connect(own("alice"), own("bob"))
    kill(own)
    with pytest.raises(PhoneLostError, match="SIGKILL"):
        event_of(out, MarkHeard, within=60, mark=255)
    assert out.closed
    assert out.wait_state("confirmed", within=0).state == "confirmed", (
        "what came before still counts"
    )


def test_a_child_that_hangs_is_ended(tmp_path: Path) -> None:
    with PhonePool(tmp_path, patience=1.5) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        kill(desk, signal.SIGSTOP)
        with pytest.raises(PhoneLostError, match=r"was silent for 1\.5 s"):
            alice.next_call(30)
        assert pool.pids == []
        desk.close()


def test_a_child_that_died_while_no_phone_was_leased_is_replaced(own: Desk) -> None:
    alice = own("alice")
    alice.release()
    pid = kill(own)
    out, back = connect(own.of(alice.config), own("bob"))
    hears(out, back)
    assert pid not in own.pool.pids


def test_what_never_came_where_another_phone_was_lost_is_no_fault_of_the_far_end(
    own: Desk, holds: int
) -> None:
    lost, other = own("lost"), own("other", max_calls=holds)
    before = own.pool.pids
    assert len(before) == 2
    out, back = connect(lost, other)
    hears(back, out)
    os.kill(before[0], signal.SIGKILL)
    back.wait_state("disconnected", 10)
    with pytest.raises(PhoneLostError, match="phone lost was lost"):
        other.next_call(0.1)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_of_a_killed_child_is_hung_up_and_its_recording_is_whole(
    own: Desk, lease: Desk, who: str
) -> None:
    dying, living = own("dying"), lease("living")
    legs = connect(dying, living) if who == "caller" else connect(living, dying)
    dead, left = legs if who == "caller" else legs[::-1]
    heard = hears(dead, left)
    hears(left, dead)
    event_of(dead, Listened, since=heard.at + 1.0)
    kill(own)
    left.wait_state("disconnected", 10)
    dying.release()
    bye, answer = dead.messages[-2:]
    assert (bye.direction, bye.text[:4], answer.direction, answer.text[:11]) == (
        "sent",
        "BYE ",
        "received",
        "SIP/2.0 200",
    )
    (saved,) = [event for event in dead.events if isinstance(event, Recorded)]
    with wave.open(saved.path) as file:
        assert file.getnframes() > file.getframerate() / 2


@pytest.mark.parametrize(("dies", "code"), [("alice", 487), ("bob", 480)])
def test_ringing_stops_for_a_killed_caller_and_a_killed_callee_refuses(
    own: Desk, lease: Desk, dies: str, code: int
) -> None:
    alice, bob = ((own if name == dies else lease)(name) for name in ("alice", "bob"))
    out = alice.dial(uri_of(bob))
    back = bob.expect_call(10, answer=None)
    out.wait_state("early", 10)
    kill(own)
    left = back if dies == "alice" else out
    assert left.wait_state("disconnected", 10).code == code


RUNNER = """
import itertools, pathlib, signal, sys
from harness.phone import PhoneConfig, PhonePool

directory, address, target = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with PhonePool(directory) as pool:
    phone = pool.lease(
        PhoneConfig("runner", "+12065550108", "example.com", bind_address=address, max_calls=2),
        sink=lambda event: None, marks=itertools.count(), directory=directory,
    )
    phone.dial(target).wait_state("confirmed", 10)
    phone.dial(target).wait_state("early", 10)
    print(*pool.pids, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_when_the_parent_dies_its_phones_hang_up_and_their_child_ends(
    lease: Desk, tmp_path: Path, how: signal.Signals
) -> None:
    bob = lease("bob", max_calls=2)
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path), fresh_address(), uri_of(bob)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        talking = bob.expect_call(30)
        rung = bob.expect_call(10, answer=None)
        assert runner.stdout is not None
        (pid,) = (int(word) for word in runner.stdout.readline().split())
        with contextlib.closing(os.fdopen(os.pidfd_open(pid))) as child:
            os.killpg(runner.pid, how)  # as Ctrl-C at a terminal does
            talking.wait_state("disconnected", 10)
            assert rung.wait_state("disconnected", 10).code == 487
            assert any(message.text.startswith("BYE ") for message in talking.messages)
            assert select.select([child], [], [], 20)[0], "the child process is still there"
    finally:
        runner.kill()
        runner.communicate()
