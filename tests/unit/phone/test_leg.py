"""What a leg tells of its call while its phone is still telling it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from harness.calls.events import LegStarted, SipMessage
from harness.phone.leg import Leg
from tests.unit.phone_events import sip_message

INVITE = "INVITE sip:+13125550100@192.0.2.1 SIP/2.0\r\n\r\n"


def leg(direction: Literal["incoming", "outgoing"]) -> Leg:
    phone: Any = SimpleNamespace(changed=threading.Condition(), overrun=None, error=None, name="stand-in")
    began = LegStarted(
        at=1.0,
        phone="stand-in",
        leg="stand-in.1",
        direction=direction,
        mark=3,
        remote_uri="sip:a@192.0.2.9",
        replaces=None,
    )
    return Leg(phone, 1, began, None)


def message() -> SipMessage:
    return sip_message("received", INVITE, leg="stand-in.1")


def test_the_message_that_began_a_call_may_be_told_after_its_beginning() -> None:
    received = leg("incoming")

    def tell() -> None:
        with received.phone.changed:
            received.take(message())
            received.phone.changed.notify_all()

    later = threading.Timer(0.05, tell)
    later.start()
    assert received.invite.text == INVITE
    later.join()


def test_a_call_that_never_left_has_none() -> None:
    with pytest.raises(LookupError, match=r"stand-in\.1 has no INVITE"):
        _ = leg("outgoing").invite
