"""The rules of a lease: whom a phone may call, how many calls it places, and how long any of them
lasts.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.deployment.limits import Gate
from harness.errors import RefusedError, ResourceError, WrongTargetError
from harness.phone import Answer, Leg, Phone, PhoneConfig, Rules
from tests.contract.gates import LockFiles
from tests.loopback import fresh_address
from tests.phones import FORBIDDEN, Desk, connect, guard, outcome, uri_of
from tests.stranger import Stranger, talking


@pytest.fixture
def gates(tmp_path: Path) -> LockFiles:
    return LockFiles(str(tmp_path / "gate"))


def bound(lease: Desk, rules: Rules, **options: object) -> Phone:
    """A phone that keeps to these rules."""
    settings: dict[str, object] = {"bind_address": fresh_address(), "max_calls": 2, **options}
    return lease.of(PhoneConfig("alice", "alice", "example.com", **settings), rules)  # type: ignore[arg-type]


@pytest.fixture
def bob(lease: Desk) -> Phone:
    phone = lease("bob", max_calls=2)
    phone.policy = Answer()
    return phone


# Whom it may call


def test_the_guard_keeps_a_number_from_being_called(lease: Desk, bob: Phone) -> None:
    alice = bound(lease, Rules(guard))
    with pytest.raises(RefusedError, match="may not be called"):
        alice.dial(f"sip:{FORBIDDEN}@{bob.address}")
    assert alice.legs == []
    out, _ = connect(alice, bob)
    with pytest.raises(RefusedError, match="may not be called"):
        out.transfer(f"sip:{FORBIDDEN}@{bob.address}")
    assert not any(message.text.startswith("REFER ") for message in out.messages)


@pytest.mark.parametrize(
    "user", ["112", "9-1-1", "0110", "*31112", "911,,1", "112;x=1", "%2539%31%31"]
)
def test_no_rules_let_a_phone_call_an_emergency_number(
    lease: Desk, peer: Stranger, bob: Phone, user: str
) -> None:
    """Nor what cannot be read: the phone itself refuses it, whatever its guard says."""
    phone = bound(lease, Rules())
    target = f"sip:{user}@{bob.address}"
    leg, call = talking(phone, peer)
    for ask in (phone.dial, leg.transfer):
        with pytest.raises(WrongTargetError, match="no file can allow that"):
            ask(target)
    assert peer.within(phone, "REFER", 2, call, headers=(f"Refer-To: <{target}>",)).status >= 400
    assert phone.legs == [leg]
    assert bob.legs == []
    peer.hangs_up(phone, call)


@pytest.mark.parametrize(
    "header",
    [
        ("Route", "<sip:evil.example;lr>"),
        ("X-EI", "S.1;\r\nRoute: <sip:evil.example;lr>"),
        ("Refer-To", f"<sip:{FORBIDDEN}@evil.example>"),
    ],
    ids=["route", "broken-line", "refer-to"],
)
def test_a_header_that_leads_elsewhere_is_not_sent(
    lease: Desk, bob: Phone, header: tuple[str, str]
) -> None:
    alice = lease("alice")
    with pytest.raises(RefusedError):
        alice.dial(uri_of(bob), headers=[header])
    out, _ = connect(alice, bob)
    with pytest.raises(RefusedError):
        out.transfer(uri_of(bob), headers=[header])


@pytest.mark.parametrize("method", ["INVITE", "invite", "REFER"])
def test_a_plain_request_begins_no_call(lease: Desk, bob: Phone, method: str) -> None:
    with pytest.raises(RefusedError):
        lease("alice").request(method, uri_of(bob))


@pytest.mark.parametrize("why", ["guard", "room", "transport", "wrong-target"])
def test_a_refer_that_may_not_be_followed_is_declined_with_603(
    lease: Desk, peer: Stranger, bob: Phone, holds: int, why: str
) -> None:
    """``declined`` says why, where the rules of this run or this machine alone forbid it: what then
    fails is broken.
    """

    def guard(uri: str) -> None:
        if FORBIDDEN in uri:
            raise (WrongTargetError if why == "wrong-target" else RefusedError)(
                f"{uri} may not be called"
            )

    phone = bound(lease, Rules(guard), max_calls=holds)
    leg, call = talking(phone, peer)
    for _ in range(holds - 1 if why == "room" else 0):
        phone.dial(f"sip:7001@{fresh_address()}")
    target = f"sip:{FORBIDDEN}@{bob.address}" if why in ("guard", "wrong-target") else uri_of(bob)
    target += ";transport=tcp" if why == "transport" else ""
    assert peer.within(phone, "REFER", 2, call, headers=(f"Refer-To: <{target}>",)).status == 603
    assert leg.successor is None
    assert leg.state == "confirmed"
    words = {
        "guard": "may not be called",
        "room": "has no free call",
        "transport": "Refer-To asks for TCP",
    }
    assert words.get(why, "None") in str(phone.declined)
    peer.hangs_up(phone, call)


# How many calls it places


@pytest.mark.parametrize("ends", ["cancelled", "hung up", "refused", "released"])
def test_a_call_passes_the_gate_and_gives_its_place_back_when_it_ends(
    lease: Desk, bob: Phone, gates: LockFiles, ends: str
) -> None:
    gate = gates(concurrent_calls=1)
    alice = bound(lease, Rules(admit=gate.admit, admitted_within_s=0.2))
    leg = alice.dial(uri_of(lease("carol")) if ends == "cancelled" else uri_of(bob))
    with pytest.raises(ResourceError, match=r"limits\.concurrent_calls"):
        alice.dial(uri_of(bob))
    if ends == "cancelled":
        leg.wait_state("early", 10)
        leg.cancel()
    elif ends == "hung up":
        leg.wait_state("confirmed", 10)
        leg.hangup()
    elif ends == "refused":
        bob.expect_call(10).hangup(486)
    else:
        alice.release()
    gate.admit(10.0).release()


def test_the_call_of_a_killed_child_gives_its_place_back_when_it_is_ended(
    own: Desk, bob: Phone, gates: LockFiles
) -> None:
    gate = gates(concurrent_calls=1)
    connect(bound(own, Rules(admit=gate.admit)), bob)
    (pid,) = own.pool.pids
    os.kill(pid, signal.SIGKILL)
    gate.admit(20.0).release()


def following(lease: Desk, bob: Phone, gate: Gate) -> tuple[Leg, Leg]:
    """A call of a phone that follows transfers, and its far end's leg."""
    return connect(bound(lease, Rules(admit=gate.admit, admitted_within_s=0.2)), bob)


def test_the_call_of_a_followed_refer_takes_the_place_of_the_first(
    lease: Desk, apart: Desk, bob: Phone, gates: LockFiles
) -> None:
    gate = gates(concurrent_calls=1, calls_per_run=3)
    out, back = following(lease, bob, gate)
    carol = apart("carol")
    back.transfer(uri_of(carol))
    carol.expect_call(10).wait_state("confirmed", 10)
    assert outcome(back) == 200
    back.hangup()
    out.wait_state("disconnected", 10)
    assert out.successor is not None
    with pytest.raises(ResourceError, match=r"limits\.concurrent_calls"):
        gate.admit(0.1)
    out.successor.hangup()
    gate.admit(10.0).release()
    with pytest.raises(RefusedError, match=r"limits\.calls_per_run"):
        gate.admit(10.0)


def test_a_refer_is_declined_when_the_runs_calls_are_used_up(
    lease: Desk, bob: Phone, gates: LockFiles
) -> None:
    out, back = following(lease, bob, gates(calls_per_run=1))
    back.transfer(uri_of(lease("carol")))
    assert outcome(back) == 603
    assert "limits.calls_per_run" in str(out.phone.declined)


def test_a_refer_in_a_received_call_is_declined_when_no_place_comes_free_soon(
    lease: Desk, bob: Phone, gates: LockFiles
) -> None:
    """The child waits a second for the answer, however long a call that is dialled may wait for its
    place.
    """
    gate = gates(concurrent_calls=1)
    alice = bound(lease, Rules(admit=gate.admit, admitted_within_s=30.0))
    up = gate.admit(10.0)
    out, _ = connect(bob, alice)
    out.transfer(uri_of(lease("carol")))
    assert outcome(out) == 603
    assert "limits.concurrent_calls" in str(alice.declined)
    up.release()
    gate.admit(10.0).release()


# How long a call lasts


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_that_lasts_too_long_is_hung_up_and_every_wait_of_its_phone_ends(
    lease: Desk, bob: Phone, who: str
) -> None:
    alice = bound(lease, Rules(seconds_per_call=0.5))
    out, back = connect(alice, bob) if who == "caller" else connect(bob, alice)
    bounded, other = (out, back) if who == "caller" else (back, out)
    other.wait_state("disconnected", 10)
    for wait in (bounded.wait, alice.wait):
        with pytest.raises(
            ResourceError,
            match=r"alice\.1 was hung up after 0\.5 s; allowed: limits\.seconds_per_call",
        ):
            wait("anything", lambda event: False, 10)
