"""Processes that hang, stop for a while or are used one lease after another, and what they leave
open.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.case.events import Listened, RtpStatistics
from harness.case.excuses import longest_mute_s
from harness.errors import BrokenError
from harness.phone import Answer, Reject, recording
from harness.phone.pool import PhonePool
from tests.loopback import fresh_address
from tests.process.alive import gone
from tests.process.phone.conftest import Desk, connect, hears, media_of, uri_of


def marks_open(pid: int) -> int:
    """How many marks a process has open."""
    return sum(Path(link).name.startswith("memfd:mark-") for link in _links_of(pid))


def _links_of(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            yield os.readlink(entry)


def test_refused_calls_leave_nothing_open(lease: Desk) -> None:
    """Such a call is over before its mark is set. Its player stayed open, and pjsua has 32 players."""
    alice, bob = lease("alice", max_calls=4), lease("bob", max_calls=4)
    bob.policy = Reject(486)
    for _ in range(6):
        leg = alice.dial(uri_of(bob))
        assert leg.wait_state("disconnected", 10).code == 486
        bob.next_call(10).wait_closed()
    bob.policy = Answer()
    out, back = connect(alice, bob)  # the bridge lets go of what left it when its clock ticks
    hears(out, back)
    assert marks_open(bob.process.pid)
    out.hangup()
    back.wait_closed()
    deadline = time.monotonic() + 10
    while left := marks_open(bob.process.pid):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_a_stopped_process_breaks_what_follows_and_fails_nothing(tmp_path: Path) -> None:
    """With a slow disk, a debugger or a hypervisor that stops a processor, missed messages look
    like the far end's silence.
    """
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        pid = alice.process.pid
        begun = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            while alice.process.stood_still is None:  # known while it lasts
                assert time.monotonic() < begun + 10
                time.sleep(0.02)
        finally:
            os.kill(pid, signal.SIGCONT)
        lasted = time.monotonic() - begun
        assert "had not stirred for" in str(alice.fault())
        while (fault := alice.fault()) is not None:  # and for a while afterwards
            assert "had not stirred for" in str(fault)
            assert time.monotonic() < begun + 20
            time.sleep(0.02)
        ((stall,),) = pool.stalls(begun, begun + lasted)
        assert lasted - 0.1 <= stall.seconds <= lasted, "by the process itself"
        assert pool.stalls(begun - 10.0, begun - 1.0) == [[]]
        assert alice.error is None
        desk.close()


def test_a_blocked_main_thread_is_noticed_while_the_mark_listener_runs(
    lease: Desk, tmp_path: Path
) -> None:
    """Events of the mark listener's thread must not hide that commands and calls are not handled."""
    alice = lease("alice", max_calls=2)
    out, _ = connect(alice, lease("bob"))
    slow, _ = recording.paths(tmp_path, "alice.2")
    os.mkfifo(slow)
    carol = uri_of(lease("carol"))
    with ThreadPoolExecutor() as threads:
        dialled = threads.submit(
            alice.dial, carol
        )  # opens the recording, which waits for its other end
        try:
            deadline = time.monotonic() + 10
            while alice.process.stood_still is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert any(
                isinstance(e, Listened) and e.at > time.monotonic() - 0.5 for e in out.events
            )
        finally:
            reader = os.open(slow, os.O_RDONLY | os.O_NONBLOCK)
        assert dialled.result(10).id == "alice.2"
    os.close(reader)
    assert "had not stirred for 1." in str(alice.fault())
    assert alice.error is None


def test_removing_a_tcp_phone_leaves_rtp_of_the_same_port_number_open(own: Desk) -> None:
    """TCP and UDP have separate ports, so that both may have the same number."""
    host = fresh_address()
    alice = own("alice", transport="tcp", bind_address=host)
    port = int(alice.address.rpartition(":")[2])
    bob = own("bob", bind_address=host, rtp_ports=(port, port + 1))
    out, back = connect(bob, own("carol"))
    assert alice.process is bob.process
    assert f"{host}:{port}" in media_of(out, 10).local_rtp
    alice.release()
    since = time.monotonic()
    hears(out, back, since=since)
    hears(back, out, since=since)


def test_an_unanswered_request_may_outlive_its_phone(own: Desk) -> None:
    """Its process went down at once, with the calls of all others: pjsua asserts on an answer to an
    account that is gone.
    """
    alice, bob, asking = own("alice"), own("bob"), own("asking")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        with pytest.raises(BrokenError):
            asking.options(f"sip:anybody@127.0.0.1:{mute.getsockname()[1]}", within=0.2)
        asking.release()
        assert asking.process is alice.process
        assert not gone(
            alice.process.pid, within=2.0
        )  # it is to be sent again after half a second, and another
    out, back = connect(alice, bob)
    hears(out, back)


def test_unanswered_requests_leave_room_for_new_phones(own: Desk) -> None:
    """Each keeps an account for up to 32 s (RFC 3261 timer F), of which pjsua has eight."""
    here = (
        fresh_address()
    )  # whose connections could be anyone's of it: they are not closed with a phone
    alice = own("alice", bind_address=here)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(16)
        for number in range(9):
            asking = own(f"asking-{number}", transport="tcp", bind_address=here)
            with pytest.raises(BrokenError):
                asking.options(
                    f"sip:anybody@127.0.0.1:{mute.getsockname()[1]};transport=tcp", within=0.1
                )
            asking.release()
            assert asking.process is alice.process
        bob = own("bob")
        assert bob.process is alice.process
    # TCP's end is an answer to all of them
    out, back = connect(alice, bob)
    hears(out, back)
    assert not gone(alice.process.pid, within=1.0)


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
        out.statistics()
        mute_s = longest_mute_s(out.facts, since, time.monotonic())
        assert out.phone.process.stood_still is None
        os.kill(out.phone.process.pid, signal.SIGKILL)  # it would go on waiting
    os.close(pipe)
    assert mute_s > 1.0
