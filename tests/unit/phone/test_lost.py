"""The place of a call whose phone is lost: kept until the far end knows that the call is over, or it can last no longer."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import to_values
from harness.deployment import Limits
from harness.deployment.limits import CallGate
from harness.errors import PhoneLostError, ResourceError
from harness.phone import crash_line
from harness.phone.config import PhoneConfig
from harness.phone.deadlines import DeadlineScheduler
from harness.phone.phone import Phone
from harness.phone.rules import Rules
from tests.loopback import fresh_address
from tests.sip_peer import SipPeer
from tests.unit.phone.torn_calls import answered_call

LONGEST_S = 3.0


@pytest.fixture
def peer() -> Iterator[SipPeer]:
    with contextlib.closing(SipPeer(fresh_address())) as peer:
        yield peer


@pytest.fixture
def gate(tmp_path: Path) -> CallGate:
    limits = Limits(concurrent_calls=1, calls_per_second=1000.0, seconds_per_call=LONGEST_S)
    return CallGate(tmp_path / "gate", limits)


@pytest.fixture
def phone(peer: SipPeer, gate: CallGate, tmp_path: Path) -> Iterator[Phone]:
    """It has placed one call, which the far end has answered."""
    with contextlib.closing(DeadlineScheduler()) as deadlines:
        owner: Any = SimpleNamespace(
            changed=threading.Condition(),
            deadlines=deadlines,
            fatal_error=None,
            loss=None,
            give_back=lambda phone, keep_registration: None,
        )

        def started(*_: object, mark: int, **__: object) -> int:
            began = {"leg": 1, "name": "desk.1", "direction": "outgoing", "remote_uri": "sip:b@example.com"}
            desk.told("leg_started", {**began, "mark": mark, "replaces": None, "at": time.monotonic()})
            return 1

        process: Any = SimpleNamespace(call=started)
        rules = Rules(admit=gate.admit, admitted_within_s=0.5, seconds_per_call=LONGEST_S)
        config = PhoneConfig("desk", "a", "example.com")
        desk = Phone(owner, process, 1, config, sink=lambda _: None, marks=iter([7]), directory=tmp_path, rules=rules)
        desk.dial("sip:b@example.com")
        messages = answered_call(f"{fresh_address()}:5060", peer.address)
        desk.told("events", {"leg": 1, "events": [to_values(message) for message in messages]})
        yield desk


def lose(phone: Phone) -> None:
    with phone.changed:
        phone.lose("for this test", "")
        phone.changed.notify_all()


def books(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "gate" / "books.json").read_text())
    return found


def test_no_other_call_is_placed_while_the_lost_one_is_being_ended(phone: Phone, peer: SipPeer, gate: CallGate) -> None:
    lose(phone)
    bye = peer.request("BYE")
    with pytest.raises(PhoneLostError):  # the waits have ended
        phone.legs[0].wait("anything", lambda event: False, within=10)
    with pytest.raises(ResourceError, match="concurrent_calls = 1"):
        gate.admit(0.1)
    peer.respond(bye, 200)
    phone.release()
    gate.admit(1.0).release()


def test_a_call_that_nobody_ended_counts_in_full(
    phone: Phone, gate: CallGate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_line, "_PATIENCE", 0.1)
    lose(phone)
    phone.release()
    with pytest.raises(ResourceError, match="concurrent_calls = 1"):
        gate.admit(0.1)
    gate.admit(10.0).release()
    assert books(tmp_path)["seconds"] == pytest.approx(LONGEST_S, abs=0.5)
