"""The AI that is ours hands a caller over, and leaves when an agent has taken the call, however long that takes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.calls.events import Event, TransferProgress
from harness.deployment.safety import Guard
from harness.errors import PhoneMisuseError
from harness.phone.waiter import never_came
from harness.scenario.ai_calls import StandInCall
from harness.sip.uri import Uri
from tests.unit.scenario.conftest import MakeContext

AN_AGENT_TAKES_S = 25.0


class Leg:
    """The stand-in's leg; an agent answers :data:`AN_AGENT_TAKES_S` after the REFER, and nobody waits for it in the test."""

    invite = SimpleNamespace(
        text="INVITE sip:ai@ai.example SIP/2.0\r\nVia: SIP/2.0/UDP b.example;branch=z9hG4bK1\r\nFrom: <sip:a@b.example>;tag=1\r\n"
        "To: <sip:ai@ai.example>\r\nCall-ID: 1@b.example\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    closed = False
    state = "confirmed"
    successor = None

    def __init__(self, status: int) -> None:
        self.id = "stand-in.1"
        self.events: list[Event] = []
        self.status = status
        self.hung_up = False
        self.referred_to = ""

    def transfer(self, uri: str) -> None:
        """The platform accepts the REFER."""
        self.referred_to = uri

    def wait(self, goal: str, tells: Callable[[Event], bool], within: float) -> Event:
        told = TransferProgress(
            at=AN_AGENT_TAKES_S, phone="stand-in", leg=self.id, code=self.status, reason="", final=True
        )
        if within < AN_AGENT_TAKES_S or not tells(told):
            raise never_came(goal, within, self.id, "no final NOTIFY", "")
        return told

    def hangup(self) -> None:
        self.hung_up = True


@pytest.mark.parametrize(("status", "leaves"), [(200, True), (486, False)])
def test_it_leaves_when_an_agent_has_answered_whenever_that_is(
    make_context: MakeContext, status: int, leaves: bool
) -> None:
    context = make_context("TD-TRANSFER-BLIND", "stand-in")
    leg: Any = Leg(status)
    trunk = context.deployment.trunks[0]
    phone: Any = SimpleNamespace(name="stand-in")
    talk = StandInCall(context, leg, phone, trunk, "+12065550100", None)  # type: ignore[arg-type]
    talk.digits = lambda count, within: ("0", ["rfc4733"], [160])  # type: ignore[method-assign]
    group: Any = SimpleNamespace(name="billing", address="+18155550101")
    talk.hand_over(group, "cold")
    context.background.join(5.0)
    assert leg.hung_up is leaves


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20))
@example("returns & refunds")
@example("Rückfragen")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_topic_is_written_as_a_uri_takes_it(make_context: MakeContext, topic: str) -> None:
    """RFC 3261 section 19.1.1: what a header of a URI cannot hold as it is is escaped."""
    context = make_context("TD-TRANSFER-BLIND", "stand-in")
    leg: Any = Leg(200)
    trunk = context.deployment.trunks[0].model_copy(update={"termination": "sbc.example:5061"})
    phone: Any = SimpleNamespace(name="stand-in")
    talk = StandInCall(context, leg, phone, trunk, "+12065550100", None)  # type: ignore[arg-type]
    talk.digits = lambda count, within: ("0", ["rfc4733"], [160])  # type: ignore[method-assign]
    group: Any = SimpleNamespace(name="returns", address=next(iter(context.deployment.groups.values())).did)
    talk.hand_over(group, "cold", topic=topic)
    context.background.join(5.0)
    assert Uri.parse(leg.referred_to).header("X-Gladly-Routing-Selector") == topic
    Guard(context.deployment.model_copy(update={"trunks": (trunk,)}))(leg.referred_to)


@pytest.mark.parametrize(("state", "breaks"), [("disconnected", False), ("confirmed", True)])
def test_a_platform_that_ends_the_group_s_call_as_it_answers_it_breaks_nothing(
    make_context: MakeContext, state: str, breaks: bool
) -> None:
    """What a faulty platform does has to fail: there is nobody to join the caller to. Of a call that is up it is our own doing."""
    context = make_context("TD-TRANSFER-WARM", "stand-in")
    leg: Any = Leg(200)
    onward: Any = SimpleNamespace(id="stand-in.2", state=state, wait_state=lambda name, within: None)

    def bridge(other: Any) -> None:
        raise PhoneMisuseError(f"{other.id} has ended")

    leg.bridge = bridge
    phone: Any = SimpleNamespace(dial=lambda uri, identity: onward)
    talk = StandInCall(context, leg, phone, context.trunk, "main", SimpleNamespace())  # type: ignore[arg-type]
    talk.hand_over(cast("Any", SimpleNamespace(name="billing", address="4711")), "warm")
    if breaks:
        with pytest.raises(PhoneMisuseError):
            context.background.join(10.0)
    else:
        context.background.join(10.0)
        assert context.background.fatal_error is None
