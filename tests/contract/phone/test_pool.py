"""Leases: which phones share a child process, what a lease cannot give, and what is left when
phones are given back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from harness.case.events import Event, LegStarted, Recorded
from harness.errors import (
    BrokenError,
    PhoneLostError,
    PhoneMisuseError,
    ResourceError,
    WorldLostError,
)
from harness.phone import PhoneConfig, PhoneForkServer, PhonePool, TlsConfig
from tests.loopback import fresh_address
from tests.phones import Desk, connect, hears, settle, uri_of

SECRET = "correct-horse-battery"


def ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


# Which phones share a child


def test_phones_share_a_child_and_the_child_is_kept_for_the_next_lease(own: Desk) -> None:
    alice, bob = own("alice"), own("bob", transport="tcp")
    (pid,) = own.pool.pids
    alice.release()
    bob.release()
    out, back = connect(own("alice"), own("carol"))
    hears(out, back)
    assert own.pool.pids == [pid]


def test_two_phones_of_one_user_part_live_in_two_children(own: Desk) -> None:
    own("alice", user="7001")
    own("bob", user="7001")
    assert len(own.pool.pids) == 2


def test_phones_that_may_have_all_calls_of_a_child_live_in_several(own: Desk, holds: int) -> None:
    own("alice", max_calls=holds)
    own("bob", max_calls=holds)
    assert len(own.pool.pids) == 2


def test_more_calls_than_a_child_holds_cannot_be_leased(lease: Desk, holds: int) -> None:
    with pytest.raises(
        ResourceError, match=f"phone alice needs {holds + 1} calls at once; .* has {holds}"
    ):
        lease("alice", max_calls=holds + 1)


# What a configuration and a lease refuse


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "name"),
        ({"user": ""}, "user"),
        ({"codecs": ()}, "no codec"),
        ({"max_calls": 0}, "max_calls"),
        ({"session_expires": 60}, "RFC 4028"),
        ({"min_se": 60}, "RFC 4028"),
        ({"password": "x"}, "no username"),
        ({"tls": TlsConfig(certificate="a.pem")}, "private key"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, object], said: str) -> None:
    settings: dict[str, object] = {
        "name": "alice",
        "user": "101",
        "domain": "example.com",
        **options,
    }
    with pytest.raises(ValueError, match=said):
        PhoneConfig(**settings)  # type: ignore[arg-type]


def test_a_codec_that_is_not_built_in_is_named(lease: Desk) -> None:
    with pytest.raises(ResourceError, match=r"no AMR-WB; it has .*PCMU"):
        lease("alice", codecs=("AMR-WB",))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_fixed_port_is_refused_while_it_is_taken_and_free_after_the_release(
    lease: Desk, transport: str
) -> None:
    first = lease("first", transport=transport)
    host, _, port = first.address.rpartition(":")
    place = {"transport": transport, "bind_address": host, "bind_port": int(port)}
    with pytest.raises(ResourceError, match=f"{transport} {host}:{port}"):
        lease("second", **place)
    first.release()
    out, back = connect(lease("bob", transport=transport), lease("alice", **place))
    hears(out, back)


def test_a_lease_without_a_mark_left_dials_no_call_and_says_so_of_one_that_comes(own: Desk) -> None:
    own.marks = iter([7])
    alice, bob = own("alice", max_calls=2), own("bob", max_calls=2)
    out = alice.dial(uri_of(bob))
    assert out.mark == 7
    with pytest.raises(ResourceError, match="no mark is left for a leg of phone alice"):
        alice.dial(uri_of(bob))
    with pytest.raises(ResourceError, match="no mark is left for a leg of phone bob"):
        bob.wait("anything", lambda event: False, within=10)


# Giving phones back


def test_release_hangs_up_and_returns_when_the_recordings_are_whole(
    lease: Desk, apart: Desk
) -> None:
    alice, bob = lease("alice"), apart("bob")
    out, back = connect(alice, bob)
    hears(back, out)
    alice.release()
    recorded = [event for event in lease.events if isinstance(event, Recorded)]
    assert [event.leg for event in recorded] == [out.id]
    assert out.closed
    back.wait_state("disconnected", 10)
    alice.release()  # harmless


def test_a_released_phone_takes_no_commands(lease: Desk) -> None:
    with lease("alice") as alice:
        pass
    with pytest.raises(PhoneMisuseError, match="phone alice was released"):
        alice.dial("7001")


def test_hang_up_ends_all_calls_of_a_phone(lease: Desk) -> None:
    alice, bob = lease("alice", max_calls=2), lease("bob", max_calls=2)
    legs = [connect(alice, bob)[1] for _ in range(2)]
    alice.hang_up()
    for leg in legs:
        leg.wait_state("disconnected", 10)


def test_a_prepared_process_hosts_the_first_phone(own: Desk) -> None:
    own.pool.prepare()
    for thread in threading.enumerate():
        if thread.name == "first phones":
            thread.join(20)
    (pid,) = own.pool.pids
    own("alice")
    assert own.pool.pids == [pid]


def test_closing_the_pool_hangs_up_ends_its_children_and_leaves_no_file(
    lease: Desk, tmp_path: Path
) -> None:
    bob = lease("bob", max_calls=2)
    with PhonePool(tmp_path / "scratch") as pool:
        desk = Desk(pool, tmp_path)
        alice = desk("alice", user="+12065550109", max_calls=2)
        _, back = connect(alice, bob)
        ringing = alice.dial(uri_of(bob))
        rung = bob.expect_call(10, answer=None)
        ringing.wait_state("early", 10)
        pids = pool.pids
    back.wait_state("disconnected", 10)
    assert rung.wait_state("disconnected", 10).code == 487
    assert pids
    assert all(ended(pid) for pid in pids)
    assert list((tmp_path / "scratch").iterdir()) == []
    with pytest.raises(BrokenError, match="closed"):
        pool.lease(alice.config, sink=print, marks=itertools.count(), directory=tmp_path)


def test_a_lost_world_ends_every_wait_and_every_later_one(own: Desk) -> None:
    alice = own("alice")
    own.pool.lose(WorldLostError("the world is gone"))
    for _ in range(2):
        with pytest.raises(WorldLostError, match="the world is gone"):
            alice.next_call(20)


# The sink


def test_the_sink_gets_every_event_in_order_and_one_at_a_time(lease: Desk, tmp_path: Path) -> None:
    seen: list[Event] = []
    inside = [0]

    def sink(event: Event) -> None:
        inside[0] += 1
        assert inside[0] == 1, "two events at once"
        time.sleep(0.0005)  # so that another event could come meanwhile
        seen.append(event)
        inside[0] -= 1

    settings = {"sink": sink, "marks": itertools.count(), "directory": tmp_path}
    names = ("alice", "bob")
    configs = [
        PhoneConfig(name, name, "example.com", bind_address=fresh_address()) for name in names
    ]
    alice, bob = (lease.pool.lease(config, **settings) for config in configs)  # type: ignore[arg-type]
    out, back = connect(alice, bob)
    assert isinstance(seen[0], LegStarted), "it was there when dial() returned"
    hears(out, back)
    settle(alice, bob)
    for phone in (bob, alice):
        phone.release()
    for leg in (out, back):
        assert [event for event in seen if event.leg == leg.id] == leg.events
    for phone in (alice, bob):
        assert [
            event for event in seen if event.leg is None and event.phone == phone.name
        ] == phone.events


def test_what_the_sink_raises_is_raised_by_release_and_ends_no_call(
    lease: Desk, tmp_path: Path
) -> None:
    def full(event: Event) -> None:
        raise OSError("no space left")

    bob = lease("bob")
    config = PhoneConfig("alice", "alice", "example.com")
    alice = lease.pool.lease(config, sink=full, marks=itertools.count(), directory=tmp_path)
    out, back = connect(alice, bob)
    hears(out, back)
    with pytest.raises(OSError, match="no space left"):
        alice.release()


# Secrets


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "not-forked"])
def test_a_password_is_in_no_text_file_log_or_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forked: bool
) -> None:
    monkeypatch.setenv("CARRIER_PASSWORD", SECRET)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(contextlib.closing(PhoneForkServer())) if forked else None
        pool = stack.enter_context(PhonePool(tmp_path, fork_server=server.path if server else None))
        own = stack.enter_context(contextlib.closing(Desk(pool, tmp_path)))
        holds_no_secret(own, tmp_path)


def holds_no_secret(own: Desk, tmp_path: Path) -> None:
    alice = own("alice", username="alice", password=SECRET, registrar="127.0.0.1:9")
    assert SECRET not in repr(alice.config)
    alice.options(uri_of(alice))
    (pid,) = own.pool.pids
    for name in ("cmdline", "environ"):
        assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    assert b"PATH=" in Path(f"/proc/{pid}/environ").read_bytes()
    assert not any(SECRET in str(event) for event in own.events)
    assert not any(
        SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(PhoneLostError) as caught:
        alice.next_call(10)
    assert SECRET not in str(caught.value)
