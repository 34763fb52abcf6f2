"""Headers that only the far end's record tells: a list of calls leaves them out, as documented, and a single call has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.calls.verdict import Finding, Verdict
from harness.deployment import Synthflow
from harness.scenario.context import CaseContext
from harness.scenario.endpoints import SynthflowEndpoint
from harness.scenario.expect import Expect
from harness.witness.call_record import CallRecord
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import CALLER, call, record

NAME = "X-Gladly-Caller-Id"


class Api:
    """Lists its calls as documented, and tells of a single one what ``told`` has, one after the other, the last for ever."""

    is_down = False

    def __init__(self, *told: dict[str, Any]) -> None:
        self.told = list(told)

    def calls(self, since: float, models: Sequence[str] = ()) -> list[CallRecord]:
        return [CallRecord("c1", record())]

    def call(self, call_id: str) -> CallRecord:
        told = self.told.pop(0) if self.told[1:] else self.told[0]
        return CallRecord(call_id, record(**told))


def asked(make_context: MakeContext, api: Any, lag_s: float = 0.0) -> tuple[Expect, CaseContext]:
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, lag_s=lag_s))
    context.calls.add(call())
    talk = SynthflowEndpoint(context, api).expect_call(call(), "main", within=0.0)
    assert talk is not None
    return Expect(context, talk), context


def found(context: CaseContext) -> Finding:
    """The one finding, once the calls are over."""
    for look in context.later:
        for finding in look():
            context.evidence.add(finding)
    (finding,) = context.evidence.findings
    return finding


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"prompt_variables": {NAME: CALLER}}, Verdict.PASSED),
        ({"prompt_variables": {NAME: "+14155550177"}}, Verdict.FAILED),
        ({"prompt_variables": {"X-Order": "7"}}, Verdict.FAILED),
        ({"prompt_variables": {NAME: "+1415*****01"}}, Verdict.NOT_OBSERVABLE),  # as some accounts hide digits
        ({"prompt_variables": {NAME: "[REDACTED]"}}, Verdict.NOT_OBSERVABLE),
        ({"prompt_variables": {"name": "Ann"}}, Verdict.NOT_OBSERVABLE),
        ({"prompt_variables": None}, Verdict.NOT_OBSERVABLE),
        ({"telephony_sip_headers": {"x-gladly-caller-id": CALLER}}, Verdict.PASSED),
        ({"telephony_sip_headers": {"X-Gladly-Caller-Id": "+14155550177"}, "prompt_variables": {}}, Verdict.FAILED),
        ({"telephony_sip_headers": {"X-Carrier-Id": "7"}, "prompt_variables": {}}, Verdict.NOT_OBSERVABLE),
        ({"telephony_sip_headers": [NAME]}, Verdict.NOT_OBSERVABLE),
        ({}, Verdict.NOT_OBSERVABLE),
    ],
)
def test_a_header_is_looked_for_in_the_single_call(
    make_context: MakeContext, told: dict[str, Any], verdict: Verdict
) -> None:
    expect, context = asked(make_context, Api(told | {"status": "completed"}))
    expect.header(NAME, CALLER)
    assert found(context).verdict is verdict


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"prompt_variables": {NAME: CALLER}}, Verdict.FAILED),
        ({"prompt_variables": {"X-Order": "7"}}, Verdict.PASSED),
        ({"prompt_variables": {}}, Verdict.NOT_OBSERVABLE),
        ({"prompt_variables": {}, "telephony_sip_headers": {NAME: CALLER}}, Verdict.FAILED),
        ({"prompt_variables": {}, "telephony_sip_headers": {"X-Carrier-Id": "7"}}, Verdict.NOT_OBSERVABLE),
    ],
)
def test_so_is_one_that_is_to_be_absent(make_context: MakeContext, told: dict[str, Any], verdict: Verdict) -> None:
    expect, context = asked(make_context, Api(told | {"status": "completed"}))
    expect.no_header(NAME)
    assert found(context).verdict is verdict


def test_variables_may_come_when_the_call_is_over(make_context: MakeContext) -> None:
    late: list[dict[str, Any]] = [
        {},
        {"status": "completed"},
        {"status": "completed", "prompt_variables": {NAME: CALLER}},
    ]
    expect, context = asked(make_context, Api(*late), lag_s=30.0)
    expect.header(NAME, CALLER)
    assert found(context).verdict is Verdict.PASSED


def test_a_record_that_is_complete_is_not_waited_for(make_context: MakeContext) -> None:
    expect, context = asked(make_context, Api({"status": "completed", "prompt_variables": {}}), lag_s=3600.0)
    expect.header(NAME, CALLER)
    assert found(context).verdict is Verdict.NOT_OBSERVABLE


SENT = ("X-EI", "X-Order-Id", "X-Locale")


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"prompt_variables": {"X-Talkdesk-Other-Leg-Call-Id": "7"}}, Verdict.NOT_OBSERVABLE),
        ({"prompt_variables": {"X-Locale": "pt-BR"}}, Verdict.FAILED),
        ({"prompt_variables": {"x-ei": "S.1;"}}, Verdict.FAILED),
        ({"prompt_variables": {}, "telephony_sip_headers": {"X-Locale": "pt-BR"}}, Verdict.NOT_OBSERVABLE),
        ({"prompt_variables": {"X-Order-Id": "7"}}, Verdict.PASSED),
    ],
)
def test_a_header_of_the_caller_s_is_missing_beside_others_of_its_own(
    make_context: MakeContext, told: dict[str, Any], verdict: Verdict
) -> None:
    """The platform's own show nothing: a carrier may have dropped what the caller sent before it got there."""
    expect, context = asked(make_context, Api(told | {"status": "completed"}))
    expect.header("X-Order-Id", "7", sent_with=SENT)
    assert found(context).verdict is verdict


def test_a_value_that_looks_as_if_digits_were_hidden_in_it_is_right_where_it_was_sent(
    make_context: MakeContext,
) -> None:
    expect, context = asked(make_context, Api({"status": "completed", "prompt_variables": {"X-Order": "#7"}}))
    expect.header("X-Order", "#7")
    assert found(context).verdict is Verdict.PASSED
