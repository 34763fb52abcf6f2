"""Faults in a customer's set-up: one trunk, one assistant, groups that are named as nobody in them."""

from __future__ import annotations

import time

import pytest

from harness.audio.marks import reply_to
from harness.calls.events import MarkHeard, RtpStatistics
from harness.phone.leg import Leg
from tests.process.world.conftest import PATIENCE, RunningWorld, Stage, hears
from tests.process.world.dialling import TRUNK, dial

HOTLINE = "Hotline (Köln)"


def confirmed(cu: Stage) -> Leg:
    call = dial(cu, HOTLINE)
    call.wait_state("confirmed", PATIENCE)
    hears(call, reply_to(call.mark))
    return call


def at_fallback(cu: Stage) -> Leg:
    """The call as the fallback's agent gets it."""
    return cu.phone("Chris").expect_call(PATIENCE)


def test_a_wrong_did_is_another_assistants(cu: Stage, customer: RunningWorld) -> None:
    grace = cu.deployment.assistants["Grace"].voice
    assert grace is not None
    with customer.fault("route-wrong-did", HOTLINE):
        hears(dial(cu, HOTLINE), grace)


@pytest.mark.parametrize("fault", ["route-wrong-trunk", "codecs-stripped-to-ai"])
def test_the_fallback_takes_over(cu: Stage, customer: RunningWorld, fault: str) -> None:
    """With one trunk, the wrong one is none at all."""
    chris = cu.phone("Chris")
    with customer.fault(fault, HOTLINE):
        call = dial(cu, HOTLINE)
        landed = chris.expect_call(PATIENCE)
        hears(call, landed.mark)


def test_another_line_with_the_same_assistant_is_as_it_should_be(cu: Stage, customer: RunningWorld) -> None:
    chris = cu.phone("Chris")
    with customer.fault("assistant-not-attached", "announced"):
        call = dial(cu, HOTLINE)
        hears(call, reply_to(call.mark))
        assert not chris.incoming
        call.hangup()
    with customer.fault("assistant-not-attached", HOTLINE):
        call = dial(cu, HOTLINE)
        hears(call, at_fallback(cu).mark)


def test_a_wrong_group_is_the_other_one(cu: Stage, customer: RunningWorld) -> None:
    zoe, chris = cu.phone("Zoë"), cu.phone("Chris")
    with customer.fault("group-wrong", HOTLINE):
        call = confirmed(cu)
        call.send_digits("0")
        hears(call, chris.expect_call(PATIENCE).mark)
    assert not zoe.incoming


def test_the_callers_number_is_lost_on_the_fallback_alone(cu: Stage, customer: RunningWorld) -> None:
    chris, zoe = cu.phone("Chris"), cu.phone("Zoë")
    with customer.fault("caller-id-lost-on-fallback"), customer.fault("assistant-not-attached"):
        call = dial(cu, HOTLINE)
        landed = chris.expect_call(PATIENCE)
        assert landed.invite is not None
        assert "<sip:+4922155500100@" in landed.invite.text
        call.hangup()
    with customer.fault("caller-id-lost-on-fallback"):
        call = confirmed(cu)
        call.send_digits("0")
        transferred = zoe.expect_call(PATIENCE)
        assert transferred.invite is not None
        assert "<sip:+4915155501001@" in transferred.invite.text


def test_one_packet_and_no_more(cu: Stage, customer: RunningWorld) -> None:
    with customer.fault("rtp-one-packet-to-caller"):
        call = dial(cu, HOTLINE)
        call.wait_state("confirmed", PATIENCE)
        told = call.wait("two seconds", lambda e: isinstance(e, RtpStatistics) and e.tx_packets > 100, PATIENCE)
    assert isinstance(told, RtpStatistics)
    assert told.rx_packets == 1


def test_digits_cannot_be_negotiated(cu: Stage, customer: RunningWorld) -> None:
    with customer.fault("telephone-event-stripped-to-ai"):
        call = confirmed(cu)
        answer = next(m for m in call.messages if m.text.startswith("SIP/2.0 200") and "INVITE" in m.text)
        assert "telephone-event" not in answer.text


def test_headers_do_not_arrive(cu: Stage, customer: RunningWorld) -> None:
    for fault, expected in [("x-headers-stripped", None), ("pai-stripped", "7")]:
        with customer.fault(fault):
            call = cu.dial(HOTLINE, TRUNK, "test phone 1", headers=[("X-Order", "7")])
            call.wait_state("confirmed", PATIENCE)
            assert cu.record().variable("X-Order") == expected
            call.hangup()
            customer.wait_until_quiet()  # the trunk carries one call


def test_the_trunk_wants_a_password_nobody_has(cu: Stage, customer: RunningWorld) -> None:
    """Only new calls of the AI's are challenged: a cold transfer is a REFER within its call."""
    zoe = cu.phone("Zoë")
    with customer.fault("trunk-wants-digest"):
        call = confirmed(cu)
        call.send_digits("0")
        hears(call, zoe.expect_call(PATIENCE).mark)
        call.hangup()
        customer.wait_until_quiet()
        call = dial(cu, "warm")
        hears(call, reply_to(call.mark))
        call.send_digits("0")
        deadline = time.monotonic() + PATIENCE
        while not (said := [action for action in cu.record().actions if action["status"] != "started"]):
            assert time.monotonic() < deadline
    assert [(action["status"], action["status_code"]) for action in said] == [("failed", 407)]
    assert len(zoe.incoming) == 1, "only the cold transfer reached it"


def test_somebody_else_answers_for_the_group(cu: Stage, customer: RunningWorld) -> None:
    zoe = cu.phone("Zoë")
    with customer.fault("group-answered-by-others"):
        call = confirmed(cu)
        call.send_digits("0")
        deadline = time.monotonic() + PATIENCE
        while not [action for action in cu.record().actions if action["status"] != "started"]:
            assert time.monotonic() < deadline, "the AI has handed over"
        since = time.monotonic()
        call.wait("words that are no mark", lambda e: isinstance(e, RtpStatistics) and e.at > since + 2.5, PATIENCE)
        late = [e for e in call.events if isinstance(e, MarkHeard) and e.at > since + 2.0]
        assert late == []
        assert call.state == "confirmed"
        assert not zoe.incoming


@pytest.mark.parametrize("who", ["caller", "agent"])
def test_a_hang_up_that_is_not_passed_on(cu: Stage, customer: RunningWorld, who: str) -> None:
    zoe = cu.phone("Zoë")
    with customer.fault(f"{who}-hangup-not-passed-on"):
        call = confirmed(cu)
        call.send_digits("0")
        landed = zoe.expect_call(PATIENCE)
        hears(call, landed.mark)
        first, other = (call, landed) if who == "caller" else (landed, call)
        ended = first.events[-1].at
        first.hangup()
        first.wait_state("disconnected", PATIENCE)
        assert other.wait_state("disconnected", 15).at - ended > 4, "only the platform's own clearing ends it"


def test_limits_that_are_not_the_agreed_ones(cu: Stage, customer: RunningWorld) -> None:
    """One call is agreed upon: with one fewer there is none, and without a limit there are two."""
    cu.phone("Chris")
    with customer.fault("trunk-limit-lower"):
        call = dial(cu, HOTLINE)
        hears(call, at_fallback(cu).mark)
        call.hangup()
        customer.wait_until_quiet()
    with customer.fault("trunk-limit-not-enforced"):
        call = confirmed(cu)
        second = cu.dial(HOTLINE, TRUNK, "test phone 2")
        hears(second, reply_to(second.mark))
        second.hangup()
    second.wait_state("disconnected", PATIENCE)
    third = cu.dial(HOTLINE, TRUNK, "test phone 2")
    hears(third, at_fallback(cu).mark)


def test_a_form_of_number_is_refused(cu: Stage, customer: RunningWorld) -> None:
    with customer.fault("national-form-refused"):
        phone = cu.phone("test phone 1")
        account = cu.deployment.accounts["public"]
        host = f"{account.host}:{account.port}"
        assert phone.dial(f"sip:022155500100@{host}").wait_state("disconnected", PATIENCE).code == 404
        call = phone.dial(f"sip:+4922155500100@{host}")
        call.wait_state("confirmed", PATIENCE)
        call.hangup()
        customer.wait_until_quiet()  # the trunk carries one call
    call = cu.phone("test phone 1").dial(f"sip:022155500100@{host}")
    call.wait_state("confirmed", PATIENCE)
