"""The far end's records: whose call each is, and what it says of headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from harness.case.verdict import Finding, Verdict
from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.scenario.ai_calls import SynthflowCall
from harness.scenario.case_phones import ConcurrentCases
from harness.scenario.context import CaseContext
from harness.scenario.endpoints import SynthflowEndpoint
from harness.scenario.expect import Expect
from harness.witness.call_record import CallRecord
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import CALLER, FakeApi, Place, call, record

NAME = "X-Gladly-Caller-Id"


class Api:
    """Lists its calls as documented, and tells of a single one what ``told`` has, one after the
    other, the last for ever.
    """

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
    talk = SynthflowEndpoint(context).expect_call(call(), "main", within=0.0)
    assert talk is not None
    return Expect(context, talk), context


def found(context: CaseContext) -> Finding:
    """The one finding, once the calls are over."""
    for later in context.looks_when_over:
        for expected in later():
            context.evidence.expect(expected)
    (finding,) = context.evidence.findings
    return finding


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"prompt_variables": {NAME: CALLER}}, Verdict.PASSED),
        ({"prompt_variables": {NAME: "+14155550177"}}, Verdict.FAILED),
        ({"prompt_variables": {"X-Order": "7"}}, Verdict.FAILED),
        (
            {"prompt_variables": {NAME: "+1415*****01"}},
            Verdict.NOT_OBSERVABLE,
        ),  # as some accounts hide digits
        ({"prompt_variables": {"name": "Ann"}}, Verdict.NOT_OBSERVABLE),
        ({"telephony_sip_headers": {"x-gladly-caller-id": CALLER}}, Verdict.PASSED),
        (
            {"telephony_sip_headers": {"X-Carrier-Id": "7"}, "prompt_variables": {}},
            Verdict.NOT_OBSERVABLE,
        ),
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
        (
            {"prompt_variables": {}, "telephony_sip_headers": {"X-Carrier-Id": "7"}},
            Verdict.NOT_OBSERVABLE,
        ),
    ],
)
def test_so_is_one_that_is_to_be_absent(
    make_context: MakeContext, told: dict[str, Any], verdict: Verdict
) -> None:
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
    expect, context = asked(
        make_context, Api({"status": "completed", "prompt_variables": {}}), lag_s=3600.0
    )
    expect.header(NAME, CALLER)
    assert found(context).verdict is Verdict.NOT_OBSERVABLE


SENT = ("X-EI", "X-Order-Id", "X-Locale")


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({"prompt_variables": {"X-Talkdesk-Other-Leg-Call-Id": "7"}}, Verdict.NOT_OBSERVABLE),
        ({"prompt_variables": {"X-Locale": "pt-BR"}}, Verdict.FAILED),
        ({"prompt_variables": {"x-ei": "S.1;"}}, Verdict.FAILED),
        (
            {"prompt_variables": {}, "telephony_sip_headers": {"X-Locale": "pt-BR"}},
            Verdict.NOT_OBSERVABLE,
        ),
        ({"prompt_variables": {"X-Order-Id": "7"}}, Verdict.PASSED),
    ],
)
def test_a_header_of_the_caller_s_is_missing_beside_others_of_its_own(
    make_context: MakeContext, told: dict[str, Any], verdict: Verdict
) -> None:
    """The platform's own show nothing: a carrier may have dropped what the caller sent before it
    got there.
    """
    expect, context = asked(make_context, Api(told | {"status": "completed"}))
    expect.header("X-Order-Id", "7", sent_with=SENT)
    assert found(context).verdict is verdict


# -- A record that cannot be read any more says nothing of what the AI hears now: not that it hears nobody, and not that it does


KNOWN = record(
    witness={"marks": [], "digits": [{"digit": "1", "method": "rfc4733"}], "rx_packets": 50}
)


class FailingCalls(FakeApi):
    """Has told of the call, and then fails."""

    fails = True

    def call(self, call_id: str) -> CallRecord:
        if self.fails:
            raise FarEndError("Synthflow API: GET /calls/{id}: 502")
        return CallRecord(call_id, KNOWN)


@pytest.mark.parametrize("fails", [True, False])
def test_what_was_read_before_the_interface_failed_is_not_what_is_heard_now(
    make_context: MakeContext, fails: bool
) -> None:
    api: Any = FailingCalls([KNOWN])
    api.fails = fails
    context = make_context(
        api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0, witness=("marks", "dtmf"))
    )
    talk = SynthflowCall(context, CallRecord("c1", KNOWN), call())
    assert (talk.account(0.0) is None) is fails
    assert (talk.digits(2, within=0.0) is None) is fails
    assert talk.digits(1, within=0.0) == [("1", "rfc4733", None)], (
        "digits read before are known, though the interface fails"
    )


# -- Whose call a record of the AI's is, where cases run beside each other: the case's own, or it is run again alone


BESIDE, NOBODYS = "+14155550150", "+17735550199"
SHOWN = st.sampled_from([CALLER, BESIDE, NOBODYS, None, "anonymous", "Restricted"])
WITHHELD = {None, "anonymous", "Restricted"}


@given(
    mine=SHOWN,
    theirs=st.lists(SHOWN, max_size=3),
    place_in_list=st.integers(0, 3),
    withholds=st.booleans(),
)
@example(
    mine="anonymous", theirs=[NOBODYS], place_in_list=1, withholds=True
)  # from-other-number beside ANONYMOUS
@example(mine="anonymous", theirs=["anonymous"], place_in_list=1, withholds=True)
@example(mine=BESIDE, theirs=[], place_in_list=0, withholds=False)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_case_has_its_own_record_or_is_run_again_alone(
    make_context: MakeContext, mine: Any, theirs: list[Any], place_in_list: int, withholds: bool
) -> None:
    # where a platform interchanges two callers' numbers, that is what it is found to do
    assume(mine != BESIDE or not (CALLER in theirs or (withholds and WITHHELD & set(theirs))))
    records = [
        record(call_id=f"theirs{n}", phone_number_from=number) for n, number in enumerate(theirs)
    ]
    records.insert(place_in_list, record(call_id="mine", phone_number_from=mine))
    place = Place(make_context, FakeApi(records))
    place.context.concurrent = ConcurrentCases(
        numbers=(CALLER,), others=frozenset({BESIDE}), withholds=withholds
    )
    of = call()
    talk = place.endpoint.expect_call(of, "main", within=0.0)
    if talk is not None:
        place.endpoint.others(of, "main")  # the case's last look
    assert (talk is not None and talk.record.id == "mine") or place.context.guessed
    if mine == CALLER and set(theirs) <= {BESIDE}:
        assert not place.context.guessed, "numbers that tell leave no doubt"
