"""Registration: with a password, refused, refreshed, kept for the next lease, and given back."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from harness.case.events import Event, RegistrationState, SipMessage
from harness.errors import PhoneLostError, PhoneMisuseError
from harness.phone import NeverCame
from tests.loopback import fresh_address
from tests.phones import Desk, once, settle
from tests.registrar import PASSWORD, Registrar


def account(registrar: Registrar, **more: Any) -> dict[str, Any]:
    """The settings of a phone that may register."""
    return {"registrar": registrar.address, "username": "alice", "password": PASSWORD, **more}


def is_active(event: Event) -> bool:
    return isinstance(event, RegistrationState) and event.active


def test_a_phone_registers_with_its_password_and_stays_registered(
    lease: Desk, registrar: Registrar
) -> None:
    alice = lease("alice", **account(registrar, register_expires=120))
    assert alice.registration is None
    state = alice.register()
    assert (state.code, state.active, state.expires) == (200, True, 120)
    assert alice.registration == state
    assert alice.register() is state, "it holds"
    assert [request.method for request in registrar.requests] == ["REGISTER", "REGISTER"]
    messages = once(event for event in alice.events if isinstance(event, SipMessage))
    assert [message.direction for message in messages] == ["sent", "received"] * 2
    assert {(message.local, message.remote) for message in messages} == {
        (alice.address, registrar.address)
    }


def test_a_wrong_password_is_refused(lease: Desk, registrar: Registrar) -> None:
    state = lease("alice", **account(registrar, password="wrong")).register()
    assert (state.code, state.active) == (401, False)


def test_a_refusal_is_returned_and_not_tried_again(lease: Desk, registrar: Registrar) -> None:
    registrar.refusal = 403
    alice = lease("alice", **account(registrar))
    assert alice.register().code == 403
    settle(alice)
    assert len(registrar.requests) == 1


def test_a_mute_registrar_never_came(lease: Desk, registrar: Registrar) -> None:
    registrar.mute = True
    with pytest.raises(NeverCame, match=r"alice registered within 0\.3 s"):
        lease("alice", **account(registrar)).register(within=0.3)


def test_without_a_registrar_it_is_misuse(lease: Desk) -> None:
    with pytest.raises(PhoneMisuseError, match="no registrar"):
        lease("alice").register()


def test_a_registration_is_refreshed_before_it_ends(lease: Desk, registrar: Registrar) -> None:
    alice = lease("alice", **account(registrar, register_expires=4))
    first = alice.register()
    alice.wait("a refresh", is_active, 20, since=first.at + 0.001)
    again = next(
        e
        for e in alice.events
        if isinstance(e, SipMessage) and e.direction == "sent" and e.at > first.at
    )
    assert again.at - first.at < 4


def test_a_released_phone_gives_its_registration_back(lease: Desk, registrar: Registrar) -> None:
    alice = lease("alice", **account(registrar))
    alice.register()
    alice.release()
    registrar.until("0")


def test_a_registration_can_be_kept_for_an_equal_phone_and_calls_are_refused_meanwhile(
    lease: Desk, registrar: Registrar
) -> None:
    settings = account(registrar, bind_address=fresh_address(), user="+12065550107")
    first = lease("alice", **settings)
    first.register()
    first.release(keep_registration=True)
    seen = len(registrar.requests)
    caller = lease("caller")
    assert (
        caller.dial(f"sip:+12065550107@{first.address}").wait_state("disconnected", 10).code == 480
    )
    second = lease("alice", **settings)
    assert second.address == first.address
    assert second.registration is not None
    assert second.register().active
    assert len(registrar.requests) == seen
    leg = caller.dial(f"sip:+12065550107@{second.address}")
    second.expect_call(10)
    leg.wait_state("confirmed", 10)
    second.release()
    registrar.until("0", since=seen)


def test_a_kept_registration_gives_way_to_another_phone_of_the_same_address(
    own: Desk, registrar: Registrar
) -> None:
    """A call would go to whichever registered last. Another phone of the child stays leased
    meanwhile.
    """
    settings = account(registrar, user="+12065550108")
    own("bob")
    first = own("alice", codecs=("PCMU",), **settings)
    first.register()
    first.release(keep_registration=True)
    seen = len(registrar.requests)
    assert own("alice", codecs=("PCMA",), **settings).register().active
    registrar.until("0", since=seen)


def test_the_registration_of_a_killed_child_is_left_to_expire(
    own: Desk, registrar: Registrar
) -> None:
    """The next phone of the same address registers beside it."""
    alice = own("alice", **account(registrar))
    alice.register()
    (pid,) = own.pool.pids
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(PhoneLostError):
        alice.wait("its end", lambda event: False, within=10)
    alice.release()
    assert own.of(alice.config).register().active
    bound, again = [request for request in registrar.requests if request.has("Authorization")]
    assert "0" not in (bound.get("Expires"), again.get("Expires"))
    assert again.contact != bound.contact
