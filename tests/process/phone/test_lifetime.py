"""Processes that die, hang or lose their parent; and what a run leaves behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import BrokenError, PhoneLostError, WorldLostError
from harness.events import Listened, MarkHeard, PhoneLost
from harness.phone import Answer, PhoneConfig, Reject, recording
from harness.phone.pool import PhonePool
from tests.loopback import fresh_address
from tests.process.alive import alive, gone
from tests.process.phone.conftest import Desk, connect, hears, media_of, uri_of


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    return sum(link.startswith("socket:") for link in _links_of(pid))


def test_a_crash_is_an_event_and_the_next_lease_gets_a_new_process(lease: Desk) -> None:
    alice = lease("alice")
    pid = alice.process.pid
    os.kill(pid, signal.SIGABRT)
    with pytest.raises(PhoneLostError, match="SIGABRT") as caught:
        alice.next_call(10)
    assert "pjsua_core" in str(caught.value)
    lost = [e for e in lease.events if isinstance(e, PhoneLost)]
    assert [e.phone for e in lost] == ["alice"]
    with pytest.raises(PhoneLostError):
        alice.dial("sip:+12065550102@127.0.0.1")
    alice.release()
    again = lease("alice", user=alice.config.user)
    assert again.process.pid != pid
    out, back = connect(again, lease("bob"))
    hears(out, back)


@pytest.mark.parametrize(
    "last_words",
    ["python3: ../src/pj/os.c:7: pj_run: Assertion `tp->ref_cnt > 0' failed.", "double free or corruption (out)"],
)
def test_what_a_library_says_before_it_aborts_is_in_the_line_that_a_report_shows(lease: Desk, last_words: str) -> None:
    alice, bob = lease("alice", max_calls=lease.process_holds), lease("bob")
    assert alice.process.pid != bob.process.pid
    with Path(f"/proc/{alice.process.pid}/fd/2").open("a") as errors:
        errors.write(f"{last_words}\nAborted\n")
    for phone in (bob, alice):
        os.kill(phone.process.pid, signal.SIGABRT)
        with pytest.raises(PhoneLostError):
            phone.wait("its end", lambda event: False, 10)
    assert {event.phone: event.reason for event in lease.events if isinstance(event, PhoneLost)} == {
        "alice": f"its process ended by SIGABRT: {last_words}",
        "bob": "its process ended by SIGABRT",
    }


def test_a_wait_for_audio_ends_at_once_when_the_process_is_killed(lease: Desk) -> None:
    alice, bob = lease("alice"), lease("bob")
    out, _ = connect(alice, bob)
    begin = time.monotonic()
    os.kill(alice.process.pid, signal.SIGKILL)
    with pytest.raises(PhoneLostError, match="SIGKILL"):
        out.wait("a mark", lambda e: isinstance(e, MarkHeard) and e.mark == 255, 30)
    assert time.monotonic() - begin < 15


def test_a_hang_is_noticed_and_ended(tmp_path: Path) -> None:
    with PhonePool(tmp_path, patience=2.0) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        pid = alice.process.pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(PhoneLostError, match="has not stirred for 2 s"):
            alice.next_call(20)
        assert gone(pid)
        desk.close()


def files_of(pid: int, name: str) -> int:
    """How many files of such a name a process has open."""
    return sum(Path(link).name.startswith(name) for link in _links_of(pid))


def _links_of(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            yield os.readlink(entry)


def test_refused_calls_leave_nothing_open(lease: Desk) -> None:
    """Such a call is over before its mark is named: its player stayed, and a process of pjsua2 has 32 of them in all."""
    alice, bob = lease("alice", max_calls=4), lease("bob", max_calls=4)
    bob.policy = Reject(486)
    for _ in range(6):
        leg = alice.dial(uri_of(bob))
        assert leg.wait_state("disconnected", 10).code == 486
        bob.next_call(10).wait_closed()
    bob.policy = Answer()
    out, back = connect(alice, bob)  # the bridge lets go of what left it when its clock ticks
    hears(out, back)
    out.hangup()
    back.wait_closed()
    deadline = time.monotonic() + 10
    while left := files_of(bob.process.pid, "mark-"):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_whether_a_phone_can_still_be_relied_on_is_known_at_once(tmp_path: Path) -> None:
    with PhonePool(tmp_path, patience=4.0) as pool:  # as long as it takes from the signal to the look at ``error``
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        assert alice.fault() is None
        os.kill(alice.process.pid, signal.SIGSTOP)
        assert alice.error is None
        assert isinstance(alice.fault(), PhoneLostError)
        desk.close()


def test_a_process_that_stood_still_for_a_while_speaks_against_nobody(tmp_path: Path) -> None:
    """A slow disk, a debugger: what was missed meanwhile looks like the far end's silence."""
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        pid = alice.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            deadline = time.monotonic() + 10
            while alice.process.stood_still is None:  # known while it lasts
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert "had not stirred for 1." in str(alice.fault())
        while (fault := alice.fault()) is not None:  # and for a while afterwards
            assert "had not stirred for 1." in str(fault)
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert alice.error is None
        desk.close()


def test_a_main_thread_that_waits_for_a_file_is_noticed_though_the_ear_goes_on(lease: Desk, tmp_path: Path) -> None:
    """What a leg hears is told by a thread of its own: it must not hide that nobody obeys commands or answers calls."""
    alice = lease("alice", max_calls=2)
    out, _ = connect(alice, lease("bob"))
    slow, _ = recording.paths(tmp_path, "alice.2")
    os.mkfifo(slow)
    carol = uri_of(lease("carol"))
    with ThreadPoolExecutor() as threads:
        dialled = threads.submit(alice.dial, carol)  # opens the recording, which waits for its other end
        try:
            deadline = time.monotonic() + 10
            while alice.process.stood_still is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert any(isinstance(e, Listened) and e.at > time.monotonic() - 0.5 for e in out.events)
        finally:
            reader = os.open(slow, os.O_RDONLY | os.O_NONBLOCK)
        assert dialled.result(10).id == "alice.2"
    os.close(reader)
    assert "had not stirred for 1." in str(alice.fault())
    assert alice.error is None


def test_the_ports_of_a_tcp_phone_that_goes_are_not_those_of_anothers_rtp(own: Desk) -> None:
    """TCP and UDP count theirs apart: the kernel gives the same number to both."""
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


def test_a_lost_world_ends_every_wait(tmp_path: Path) -> None:
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        pool.lose(WorldLostError("the world is gone"))
        with pytest.raises(WorldLostError):
            alice.next_call(20)
        desk.close()


def test_closing_the_pool_hangs_up_and_leaves_nothing(lease: Desk, tmp_path: Path) -> None:
    bob = lease("bob", max_calls=2)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with PhonePool(scratch) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice", user="+12065550109", max_calls=2)
        out, back = connect(alice, bob)
        ringing = alice.dial(uri_of(bob))
        rung = bob.expect_call(10, answer=None)
        ringing.wait_state("early", 10)
        pids = pool.pids
    back.wait_state("disconnected", 10)
    assert rung.wait_state("disconnected", 10).code == 487
    assert not any(alive(pid) for pid in pids)
    assert not list(scratch.iterdir())
    with pytest.raises(BrokenError):
        pool.lease(alice.config, sink=print, marks=itertools.count(), directory=tmp_path)
    assert out.id == "alice.1"


RUNNER = textwrap.dedent(
    """
    import itertools, pathlib, signal, sys
    from harness.phone import PhoneConfig
    from harness.phone import recording
from harness.phone.pool import PhonePool

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
)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_when_the_runner_dies_its_phones_hang_up_and_go(lease: Desk, tmp_path: Path, how: signal.Signals) -> None:
    bob = lease("bob", max_calls=2)
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path), fresh_address(), uri_of(bob)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        talking = bob.expect_call(20)
        ringing = bob.expect_call(10, answer=None)
        assert runner.stdout is not None
        pids = [int(word) for word in runner.stdout.readline().split()]
        assert pids
        os.killpg(runner.pid, how)  # as Ctrl-C at the terminal does; children are in sessions of their own
        talking.wait_state("disconnected", 10)
        assert ringing.wait_state("disconnected", 10).code == 487
        assert any(m.text.startswith("BYE ") for m in talking.messages)
        assert all(gone(pid) for pid in pids)
    finally:
        runner.kill()
        runner.communicate()


def test_processes_are_shared_kept_and_do_not_grow(tmp_path: Path) -> None:
    with PhonePool(tmp_path) as pool:
        counts = []
        for _ in range(12):
            desk = Desk(pool, tmp_path)
            alice, bob = desk("alice"), desk("bob", transport="tcp")
            carol = desk("carol", transport="tcp")
            carol.policy = Answer()
            out = bob.dial(uri_of(carol))
            out.wait_state("confirmed", 10)
            assert alice.options(uri_of(alice))[0] == 200
            desk.close()
            assert len(pool.pids) == 1
            counts.append(sockets_of(pool.pids[0]))
        # RTP sockets of the last call close a little later; one that is left behind each time adds up to six.
        assert min(counts[6:]) <= max(counts[:6])


def test_an_equal_phone_finds_its_process_again(lease: Desk) -> None:
    alice = lease("alice", bind_address="127.0.0.1")
    pid = alice.process.pid
    alice.release()
    assert lease("alice", bind_address="127.0.0.1").process.pid == pid


def test_a_child_inherits_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKDESK_TRUNK_PASSWORD", "correct-horse")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "battery-staple")
    monkeypatch.setenv("LC_MESSAGES", "C")
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        desk("alice")
        environment = Path(f"/proc/{pool.pids[0]}/environ").read_bytes()
        command = Path(f"/proc/{pool.pids[0]}/cmdline").read_bytes()
        desk.close()
    assert b"LC_MESSAGES=C" in environment
    assert b"PATH=" in environment
    for secret in (b"correct-horse", b"battery-staple", b"TALKDESK", b"AWS"):
        assert secret not in environment
        assert secret not in command


def test_passwords_are_neither_seen_nor_logged(tmp_path: Path) -> None:
    secret = "correct-horse-battery"
    config = PhoneConfig("alice", "101", "example.com", username="alice", password=secret, registrar="127.0.0.1:9")
    assert secret not in repr(config)
    with PhonePool(tmp_path) as pool:
        events: list[object] = []
        phone = pool.lease(config, sink=events.append, marks=itertools.count(), directory=tmp_path)
        phone.command("register", phone=phone.key)
        phone.options(f"sip:101@{phone.address}")
        pid = pool.pids[0]
        for name in ("cmdline", "environ"):
            assert secret.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
        assert secret not in phone.process.log()
        assert not any(secret in str(event) for event in events)
        assert not any(secret.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(PhoneLostError) as caught:
            phone.next_call(10)
        assert secret not in str(caught.value)


CLOSED = textwrap.dedent(
    """
    import gc, os, sys, weakref
    from pathlib import Path
    from types import SimpleNamespace
    from harness.phone import PhoneConfig
    from harness.phone.child.account import AccountHolder
    from harness.phone.child.stack import Endpoint
    from harness.phone.sources import Sources

    def nothing(*_):
        pass

    process = SimpleNamespace(fault=sys.exit, logged=nothing, take_connections=lambda _: set(), request_answered=nothing)
    process.endpoint = Endpoint(process, Path())
    phone = AccountHolder(process, 1, PhoneConfig("alice", "100", "127.0.0.1"), Path(), Sources(None))
    kept = weakref.ref(phone)
    phone.close()
    del phone
    gc.collect()
    assert kept() is None, gc.get_referrers(kept())
    os._exit(0)  # as a softphone's process does
    """
)


def test_a_phone_that_is_closed_is_forgotten() -> None:
    """Though pjsua2's account of it can never be destroyed: a night opens thousands."""
    done = subprocess.run([sys.executable, "-c", CLOSED], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_request_that_nobody_answers_outlives_its_phone(own: Desk) -> None:
    """Its process went down at once, with the calls of all others: pjsua asserts on an answer to an account that is gone."""
    alice, bob, asking = own("alice"), own("bob"), own("asking")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        with pytest.raises(BrokenError):
            asking.options(f"sip:anybody@127.0.0.1:{mute.getsockname()[1]}", within=0.2)
        asking.release()
        assert asking.process is alice.process
        assert not gone(alice.process.pid, within=2.0)  # it is to be sent again after half a second, and another
    out, back = connect(alice, bob)
    hears(out, back)


def test_a_process_has_room_for_phones_however_many_requests_are_unanswered(own: Desk) -> None:
    """Each keeps an account for up to 32 s (RFC 3261 timer F), of which pjsua has eight."""
    here = fresh_address()  # whose connections could be anyone's of it: they are not closed with a phone
    alice = own("alice", bind_address=here)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(16)
        for number in range(9):
            asking = own(f"asking-{number}", transport="tcp", bind_address=here)
            with pytest.raises(BrokenError):
                asking.options(f"sip:anybody@127.0.0.1:{mute.getsockname()[1]};transport=tcp", within=0.1)
            asking.release()
            assert asking.process is alice.process
        bob = own("bob")
        assert bob.process is alice.process
    # TCP's end is an answer to all of them
    out, back = connect(alice, bob)
    hears(out, back)
    assert not gone(alice.process.pid, within=1.0)


def test_for_how_long_a_process_did_not_stir_is_known_afterwards(tmp_path: Path) -> None:
    """As where a hypervisor takes its processor away, which no account of the kernel's shows."""
    with PhonePool(tmp_path) as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice")
        begun = time.monotonic()
        os.kill(alice.process.pid, signal.SIGSTOP)
        while time.monotonic() < begun + 0.8:
            time.sleep(0.01)
        os.kill(alice.process.pid, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while not (late := pool.late(begun, begun + 0.8)[0]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # a pulse may have been on its way as the process was stopped, and is read when this one has its turn
        assert 0.4 <= sum(late) <= 0.8
        assert pool.late(begun - 10.0, begun - 1.0) == [[]]
        assert alice.error is None
        desk.close()
