"""The end of a call: when its legs are released, and what is found or waited for after it."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.case.checks import landing, timing
from harness.case.events import Expected
from harness.case.measurement import AnsweredBy, Reached
from harness.case.verdict import ExpectationError, Verdict
from harness.deployment import Expectations
from harness.errors import BrokenError, PhoneLostError
from harness.run.plugin import fixtures
from harness.scenario import ai_calls, conclusion
from harness.scenario.ai_calls import reported_end
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude, require_promised_findings
from harness.scenario.context import CaseContext, line_of
from harness.scenario.expect import Expect
from harness.witness.synthflow import AbsentApi
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext, busy
from tests.unit.scenario.legs import leg, states
from tests.unit.scenario.synthflow_api import _LAG_S, LateApi, ai_of, call, record

WITHIN_S = 1.0


@given(
    after=st.floats(0.0, 6.0),
    lag_s=st.sampled_from([0.0, 0.5, 3.0]),
    farewell_s=st.sampled_from([0.0, 2.0]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_it_may_be_told_as_much_later_as_its_interface_lags_and_its_farewell_takes(
    make_context: MakeContext, after: float, lag_s: float, farewell_s: float
) -> None:
    context = make_context(expect=Expectations(released_within_s=WITHIN_S))
    busy(
        context.evidence, starved_s=lambda begin, end: 0.0
    )  # however busy the machine of this test is
    hung_up = time.monotonic()
    end: Any = SimpleNamespace(label="assistant main", lag_s=lag_s, doubt_s=0.0, is_blind=False)
    end.released_at = lambda deadline: hung_up + after if hung_up + after <= deadline else None
    Expect(context, end).released(after=hung_up, farewell_s=farewell_s)
    (finding,) = context.evidence.findings
    in_time = after <= WITHIN_S + lag_s + farewell_s
    assert finding.verdict is (Verdict.PASSED if in_time else Verdict.FAILED)


@pytest.mark.parametrize(("after_s", "verdict"), [(0.3, Verdict.PASSED), (9.0, Verdict.FAILED)])
def test_at_the_end_one_of_two_hangs_up_and_the_other_s_leg_must_end(
    make_context: MakeContext, clock: Clock, after_s: float, verdict: Verdict
) -> None:
    context = make_context(clock=clock)
    caller, agent = (
        Call(
            context,
            leg(
                *states("confirmed", began=clock.now, leg=name),
                *states("disconnected", began=clock.now + after_s, leg=name),
                name=name,
                clock=clock,
            ),
            name.partition(".")[0],
        )
        for name in ("caller.1", "agent.1")
    )
    agent.peer = caller
    context.calls.own += [caller, agent]
    conclude(context)
    (finding,) = (found for found in context.evidence.findings if found.check == "released")
    assert finding.verdict is verdict


@pytest.mark.parametrize("what", ["answered_nothing", "was_not_reached"])
def test_an_interface_that_fails_does_not_show_that_the_ai_got_no_call(
    make_context: MakeContext, what: str
) -> None:
    ai = ai_of(make_context, AbsentApi())
    getattr(ai, what)(call())
    assert [finding.verdict for finding in ai._context.evidence.findings] == [
        Verdict.NOT_OBSERVABLE
    ]


# -- An interface that takes its time to answer makes no leg late, and none that is late in time


LIMIT_S, POLL_S = 1.0, 0.1
UP: Any = SimpleNamespace(is_down=False)


looks = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 1.0), st.sampled_from([True, True, True, False])),
    min_size=1,
)


@given(ended=st.floats(0.0, 5.0), looks=looks, tells_when=st.booleans())
@example(ended=0.05, looks=[(1.5, 0.1, True)], tells_when=False)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_said_of_the_end_is_so(
    monkeypatch: pytest.MonkeyPatch,
    ended: float,
    looks: list[tuple[float, float, bool]],
    tells_when: bool,
) -> None:
    """Each look takes so long, shows the call as it was at some moment meanwhile, and may fail."""
    clock, coming = Clock(0.0), itertools.cycle([*looks, (0.0, 0.0, True)])
    monkeypatch.setattr(ai_calls, "time", clock)
    context: Any = CaseContext.__new__(CaseContext)
    context.clock, context.far_end = clock, SimpleNamespace(poll_s=POLL_S, api=UP)
    context.evidence = SimpleNamespace(kept_from=lambda *_: SimpleNamespace(stalled_s=0.0))

    def look() -> tuple[bool | None, float | None]:
        takes_s, after, works = next(coming)
        shown = clock.now + takes_s * after >= ended
        clock.wait(takes_s)
        return shown if works else None, ended if tells_when else None

    told = reported_end(context, look, deadline=LIMIT_S + 0.5)
    if told is None:
        assert ended > LIMIT_S or not all(works for _, _, works in looks)
        return
    assert told.at - told.doubt_s <= ended <= told.at
    found = timing.released("the AI's leg", told.at, LIMIT_S, told.doubt_s)
    if found.verdict is not Verdict.NOT_OBSERVABLE:
        assert (found.verdict is Verdict.PASSED) == (ended <= LIMIT_S)
    else:
        assert not tells_when


# -- What a case's end finds when the harness has hung up is of the time before: what came later, it brought about itself


class Up:
    """A call that is up when the scenario has said its part."""

    def __init__(self, context: CaseContext) -> None:
        self.hung_up_at: float | None = None
        self.legs, self.looks = [SimpleNamespace(id="caller.1")], ()
        calls: list[Any] = context.calls.own
        calls.append(self)

    def is_over(self) -> bool:
        return self.hung_up_at is not None

    def hang_up(self) -> None:
        self.hung_up_at = time.monotonic()


def look() -> list[Expected]:
    return [landing.only_one.of("the call", ["two"], "one")]


@pytest.fixture
def case(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> tuple[CaseContext, Up]:
    monkeypatch.setattr(conclusion, "_look_at_calls", lambda context: None)
    context = make_context()
    return context, Up(context)


def test_what_is_told_when_the_calls_are_over(case: tuple[CaseContext, Up]) -> None:
    context, up = case
    context.looks_when_over.append(look)
    context.looks_later.append(look)
    conclude(context, probe=False)
    require_promised_findings(context)
    assert up.hung_up_at is not None
    assert len(context.evidence.findings) > 2
    assert {finding.at <= up.hung_up_at for finding in context.evidence.findings} == {True}


# -- What a platform still sends to an AI that was down: it is waited for, and refused, before the next case begins


def go_on(wrapper: Any, error: BaseException | None) -> None:
    """As pytest does when the scenario has ended."""
    if error is None:
        wrapper.send(True)
    else:
        wrapper.throw(error)


BROKE = BrokenError("the scenario broke")
FAILED = ExpectationError(landing.landed("the call", "support", {}))


@pytest.mark.parametrize("of_scenario", [None, BROKE, FAILED, KeyboardInterrupt()])
@pytest.mark.parametrize("of_conclusion", [None, PhoneLostError("lost")])
def test_it_is_waited_for_however_the_case_ends(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    of_scenario: BaseException | None,
    of_conclusion: BaseException | None,
) -> None:
    """But for a run that is interrupted, which has no next case."""

    def conclude(context: CaseContext) -> None:
        if of_conclusion is not None:
            raise of_conclusion

    monkeypatch.setattr(fixtures, "conclude", conclude)
    monkeypatch.setattr(fixtures, "require_promised_findings", lambda context: None)
    context = make_context()
    waits: list[str] = []
    context.outlasted.append(lambda: waits.append("once"))
    item: Any = SimpleNamespace(stash={fixtures._CONTEXT: context})
    wrapper: Any = fixtures.pytest_pyfunc_call(item)
    next(wrapper)
    with pytest.raises((StopIteration, BrokenError, ExpectationError, KeyboardInterrupt)):
        go_on(wrapper, of_scenario)
    assert waits == ["once"] * (not isinstance(of_scenario, KeyboardInterrupt))


# -- What an interface may tell later: that it tells nothing of a call yet does not show that the AI did not get it


@pytest.mark.parametrize(
    ("after_s", "verdict"),
    [(0.0, Verdict.FAILED), (_LAG_S / 2, Verdict.FAILED), (60.0, Verdict.PASSED)],
)
def test_a_record_that_comes_later_shows_that_the_ai_got_the_call(
    make_context: MakeContext, after_s: float, verdict: Verdict
) -> None:
    for what in ("was_not_reached", "answered_nothing"):
        ai = ai_of(make_context, LateApi(record(), after_s=after_s))
        getattr(ai, what)(call())
        (found,) = ai._context.evidence.findings
        assert (found.check.partition(".")[0], found.verdict) == ("route", verdict)
        assert isinstance(found.measured, Reached | AnsweredBy)


@pytest.mark.parametrize("is_over", [False, True])
@pytest.mark.parametrize(
    ("after_s", "answered", "is_found"),
    [(_LAG_S / 2, True, True), (60.0, True, False), (_LAG_S / 2, False, False)],
)
def test_a_record_that_comes_later_shows_that_the_ai_answered(
    make_context: MakeContext, after_s: float, answered: bool, is_found: bool, is_over: bool
) -> None:
    """However short the time for the answer was; a call that nobody answered needs no record to be
    told by.
    """
    ai = ai_of(make_context, LateApi(record(), after_s=after_s))
    talk = ai.endpoint.expect_call(call(answered=answered, over=is_over), "main", within=0.0)
    assert (talk is not None) is is_found


def test_the_ai_was_tried_though_its_record_comes_after_our_own_patience(
    make_context: MakeContext,
) -> None:
    ai = ai_of(make_context, LateApi(record(status="busy"), after_s=_LAG_S / 2))
    context = ai._context
    context.patience = 0.0
    ai.was_tried(call(), line_of(context.deployment, context.trunk, str(context.case.line)))
    (found,) = context.evidence.findings
    assert (found.check, found.verdict) == ("route.tried", Verdict.PASSED)
