"""A leg that has to end: when it did, by when it may be told, and that one which goes on is never excused."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Expectations
from harness.deployment import Group as GroupEntry
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from harness.scenario.people import Group
from harness.witness.synthflow import AbsentApi
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import ai_of, call

WITHIN_S = 1.0


def test_a_call_of_ours_that_goes_on_was_not_released(make_context: MakeContext) -> None:
    """Our own phone sees all of it: there is nothing that nobody could tell."""
    context = make_context(expect=Expectations(released_within_s=0.01))

    def never(goal: str, predicate: Any, within: float, **_: Any) -> Any:
        raise never_came(goal, within, "agent.1", "nothing", "")

    leg: Any = SimpleNamespace(id="agent.1", events=[], successor=None, wait=never)
    Expect(context, Call(context, leg, "agent")).released()
    (finding,) = context.evidence.findings
    assert (finding.check, finding.verdict, finding.actual) == ("released", Verdict.FAILED, "it is still up")


@given(after=st.floats(0.0, 6.0), lag_s=st.sampled_from([0.0, 0.5, 3.0]), farewell_s=st.sampled_from([0.0, 2.0]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_it_may_be_told_as_much_later_as_its_interface_lags_and_its_farewell_takes(
    make_context: MakeContext, after: float, lag_s: float, farewell_s: float
) -> None:
    context = make_context(expect=Expectations(released_within_s=WITHIN_S))
    context.evidence.starved = lambda begin, end: 0.0  # however busy the machine of this test is
    hung_up = time.monotonic()
    end: Any = SimpleNamespace(label="assistant main", lag_s=lag_s, doubt_s=0.0, is_blind=False)
    end.released_at = lambda deadline: hung_up + after if hung_up + after <= deadline else None
    Expect(context, end).released(after=hung_up, farewell_s=farewell_s)
    (finding,) = context.evidence.findings
    in_time = after <= WITHIN_S + lag_s + farewell_s
    assert finding.verdict is (Verdict.PASSED if in_time else Verdict.FAILED)


@given(ended=st.none() | st.floats(1.0, 90.0), is_ours=st.booleans(), answered=st.none() | st.just(0.5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_who_has_gone_before_anybody_hung_up_was_not_ended_by_that(
    make_context: MakeContext, ended: float | None, is_ours: bool, answered: float | None
) -> None:
    context = make_context()
    end: Any = SimpleNamespace(label="caller.1", is_ours=is_ours, answered_at=lambda: answered)
    end.released_at = lambda deadline: ended
    Expect(context, end).still_up()
    told = [(finding.check, finding.verdict) for finding in context.evidence.findings]
    if ended is not None:
        assert told == [("call.up", Verdict.FAILED)]
    else:  # an interface may tell late, and so shows nothing by its silence
        assert told == [("call.up", Verdict.PASSED)] * is_ours


@pytest.mark.parametrize("is_blind", [False, True])
def test_an_interface_that_fails_does_not_show_that_a_leg_goes_on(make_context: MakeContext, is_blind: bool) -> None:
    context = make_context()
    end: Any = SimpleNamespace(label="x", lag_s=0.0, doubt_s=0.0, is_blind=is_blind, released_at=lambda deadline: None)
    Expect(context, end).released()
    (finding,) = context.evidence.findings
    assert finding.verdict is (Verdict.NOT_OBSERVABLE if is_blind else Verdict.FAILED)


@pytest.mark.parametrize("what", ["answered_nothing", "was_not_reached"])
def test_an_interface_that_fails_does_not_show_that_the_ai_got_no_call(make_context: MakeContext, what: str) -> None:
    ai = ai_of(make_context, AbsentApi())
    getattr(ai, what)(call())
    assert [finding.verdict for finding in ai._context.evidence.findings] == [Verdict.NOT_OBSERVABLE]


@pytest.mark.parametrize("within", [None, 7.0])
@pytest.mark.parametrize("queue_s", [0.0, 12.0])
def test_a_group_behind_a_queue_has_the_queue_s_time_as_well(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, within: float | None, queue_s: float
) -> None:
    context = make_context(expect=Expectations(patience_s=5.0))
    context.more_patience = 3.0
    waited: list[float] = []

    def nobody(phones: Any, limit: float, **_: Any) -> Any:
        waited.append(limit)
        raise never_came("a call", limit, "agents", "nothing", "")

    monkeypatch.setattr(context.phones, "first_incoming", nobody)
    group = Group(context, "sales", GroupEntry(did="+13125550142", agents=("Zoë",), queue_s=queue_s), [])
    with pytest.raises(ExpectationError):
        group.expect_call(SimpleNamespace(is_over=lambda: False), within=within)  # type: ignore[arg-type]
    assert waited == [(8.0 if within is None else within) + queue_s]
    assert {finding.verdict for finding in context.evidence.findings} == {Verdict.FAILED}


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        ([(1.0, 3.0)], Verdict.BROKEN),
        ([(1.0, 3.0), (5.0, 7.0)], Verdict.FAILED),  # it asked again when it could be understood
        ([], Verdict.FAILED),  # nobody asked for a person: the call was to land by itself
    ],
)
def test_nobody_blames_an_ai_that_could_not_understand(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[float, float]], verdict: Verdict
) -> None:
    context = make_context()
    context.asked = asked
    context.evidence.starved_at_once = lambda begin, end: 0.4 if begin == 1.0 else 0.0

    def nobody(phones: Any, limit: float, **_: Any) -> Any:
        raise never_came("a call", limit, "agents", "nothing", "")

    monkeypatch.setattr(context.phones, "first_incoming", nobody)
    group = Group(context, "sales", GroupEntry(did="+13125550142", agents=("Zoë",)), [])
    with pytest.raises(ExpectationError):
        group.expect_call(SimpleNamespace(is_over=lambda: False))  # type: ignore[arg-type]
    assert [finding.verdict for finding in context.evidence.findings] == [verdict]
