"""A campaign that was started by a request: the platform calls at its own pace, and is given the time that it is said to take."""

from __future__ import annotations

import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Campaign
from harness.errors import FarEndError
from harness.scenario.cast import Cast
from harness.scenario.context import CaseContext
from harness.scenario.people import Caller
from harness.witness import campaign
from tests.unit.scenario.conftest import MakeContext

CUSTOMER = "+12065550100"


def called(context: CaseContext, incoming: list[Any]) -> Caller:
    phone: Any = SimpleNamespace(name="customer", incoming=incoming)
    return Caller(context, "customer", phone, CUSTOMER)


def a_call(context: CaseContext) -> Any:
    """From the number that the case is about."""
    did = Cast(context).line(str(context.case.line)).did
    text = f"INVITE sip:customer@192.0.2.1 SIP/2.0\r\nFrom: <sip:{did}@platform.example>;tag=a\r\n\r\n"
    return SimpleNamespace(id="caller.1", invite=SimpleNamespace(text=text))


@pytest.mark.parametrize("calls_after_s", [0.0, 0.1])
def test_a_campaigns_call_may_come_as_late_as_is_said(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, calls_after_s: float
) -> None:
    incoming: list[Any] = []
    started: list[float] = []

    def start(trigger: Campaign, line: str, customer: str) -> None:
        started.append(time.monotonic())

    def pause(seconds: float) -> None:
        if time.monotonic() - started[0] >= calls_after_s:
            incoming.append(a_call(context))

    monkeypatch.setattr(campaign, "start", start)
    context = make_context(campaign=Campaign(trigger="http", url="https://campaigns.example", calls_within_s=60.0))
    monkeypatch.setattr(context, "pause", pause)
    monkeypatch.setattr(context.phones.guard, "number", lambda number: None)
    customer = called(context, incoming)
    Cast(context).start_campaign(Cast(context).line(str(context.case.line)), customer)
    assert len(incoming) == 1, "whoever expects the call now finds it there"


def test_a_campaign_that_is_said_to_call_at_once_is_not_waited_for(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "start", lambda *_: None)
    context = make_context(campaign=Campaign(trigger="http", url="https://campaigns.example"))
    monkeypatch.setattr(context, "pause", lambda seconds: pytest.fail("it waited"))
    monkeypatch.setattr(context.evidence, "scripted", lambda *_: pytest.fail("a wait of no time is told"))
    monkeypatch.setattr(context.phones.guard, "number", lambda number: None)
    customer = called(context, [])
    Cast(context).start_campaign(Cast(context).line(str(context.case.line)), customer)


@pytest.mark.parametrize("has_called", [True, False])
def test_a_request_that_is_not_answered_before_the_call_is_taken(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, has_called: bool
) -> None:
    """As FreeSWITCH's originate, which waits for whom it calls: the customer's phone rang, and the case was broken."""
    incoming: list[Any] = []

    def start(trigger: Campaign, line: str, customer: str) -> None:
        if has_called:
            incoming.append(a_call(context))
        raise FarEndError("campaign trigger https://campaigns.example: no whole answer within 10 s")

    monkeypatch.setattr(campaign, "start", start)
    context = make_context(campaign=Campaign(trigger="http", url="https://campaigns.example"))
    monkeypatch.setattr(context.phones.guard, "number", lambda number: None)
    customer = called(context, incoming)
    cast = Cast(context)
    with nullcontext() if has_called else pytest.raises(FarEndError, match="no whole answer"):
        cast.start_campaign(cast.line(str(context.case.line)), customer)
