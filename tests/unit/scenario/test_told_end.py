"""An interface that takes its time to answer makes no leg late, and none that is late in time."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.calls.checks import timing
from harness.calls.verdict import Verdict
from harness.deployment import Expectations, Synthflow
from harness.scenario import far_records
from harness.scenario.cast import Cast
from harness.scenario.endpoints import SynthflowEndpoint
from harness.scenario.far_records import reported_end
from harness.witness.call_record import CallRecord
from harness.witness.clock import to_wall
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import FakeApi, call, record

LIMIT_S, POLL_S = 1.0, 0.1
UP: Any = SimpleNamespace(is_down=False)


looks = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 1.0), st.sampled_from([True, True, True, False])), min_size=1
)


@given(ended=st.floats(0.0, 5.0), looks=looks, tells_when=st.booleans())
@example(ended=0.05, looks=[(1.5, 0.1, True)], tells_when=False)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_said_of_the_end_is_so(
    monkeypatch: pytest.MonkeyPatch, ended: float, looks: list[tuple[float, float, bool]], tells_when: bool
) -> None:
    """Each look takes so long, shows the call as it was at some moment meanwhile, and may fail."""
    clock, coming = Clock(0.0), itertools.cycle([*looks, (0.0, 0.0, True)])
    monkeypatch.setattr(far_records, "time", clock)
    context: Any = SimpleNamespace(pause=clock.wait, far_end=SimpleNamespace(poll_s=POLL_S))

    def is_over() -> bool | None:
        takes_s, after, works = next(coming)
        shown = clock.now + takes_s * after >= ended
        clock.wait(takes_s)
        return shown if works else None

    told = reported_end(context, UP, is_over, lambda: ended if tells_when else None, deadline=LIMIT_S + 0.5)
    if told is None:
        assert ended > LIMIT_S or not all(works for _, _, works in looks)
        return
    assert told.at - told.doubt_s <= ended <= told.at
    found = timing.released("the AI's leg", told.at, LIMIT_S, told.doubt_s)
    if found.verdict is not Verdict.NOT_OBSERVABLE:
        assert (found.verdict is Verdict.PASSED) == (ended <= LIMIT_S)
    else:
        assert not tells_when


def test_an_end_that_is_told_at_once_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(0.0)
    monkeypatch.setattr(far_records, "time", clock)
    context: Any = SimpleNamespace(pause=clock.wait, far_end=SimpleNamespace(poll_s=POLL_S))
    for ended, verdict in ((0.3, Verdict.PASSED), (1.3, Verdict.FAILED)):
        clock.now = 0.0
        told = reported_end(context, UP, lambda: clock.now >= ended, lambda: None, deadline=LIMIT_S + 0.5)  # noqa: B023
        assert told is not None
        assert timing.released("x", told.at, LIMIT_S, told.doubt_s).verdict is verdict


# -- the AI's leg, when a caller gives up


@dataclass
class SlowApi(FakeApi):
    """Answers after a while."""

    takes_s: float = 0.0
    came_at: list[float] = field(default_factory=list)

    def calls(self, since: float, models: Any = ()) -> list[CallRecord]:
        time.sleep(self.takes_s)  # what it takes is the point
        return super().calls(since, models)


def found_by(make_context: MakeContext, *records: dict[str, Any], takes_s: float = 0.0) -> Any:
    api = SlowApi(list(records), takes_s=takes_s)
    context = make_context(
        api=api,
        expect=Expectations(released_within_s=0.2),
        synthflow=Synthflow(poll_s=0.001, witness=("record", "marks")),
    )
    context.evidence.starved = lambda begin, end: 0.0  # however busy the machine of this test is
    cast = Cast(context)
    cast.ai._endpoint = SynthflowEndpoint(context, api)  # type: ignore[arg-type]
    of = call()
    context.calls.add(of)
    cast.nothing_rings_any_more(of, after=time.monotonic())
    return next(finding for finding in context.evidence.findings if finding.subject == "the AI's leg")


def ended(seconds_ago: float = 0.0) -> dict[str, Any]:
    """The record of a call that was given up."""
    return record(status="user-canceled", witness={"released_at": to_wall(time.monotonic() - seconds_ago)})


def test_a_slow_interface_does_not_keep_the_ais_leg_up(make_context: MakeContext) -> None:
    told = found_by(make_context, ended(), takes_s=0.3)
    assert told.verdict is Verdict.PASSED, told.actual
    bare = found_by(make_context, record(status="user-canceled"), takes_s=0.3)
    assert bare.verdict is Verdict.NOT_OBSERVABLE, bare.actual
    still = found_by(make_context, record(status="ringing"), takes_s=0.3)
    assert (still.verdict, still.actual) == (Verdict.FAILED, "it is still up")


def test_a_record_that_is_gone_does_not_show_an_end(make_context: MakeContext) -> None:
    assert found_by(make_context).verdict is Verdict.NOT_OBSERVABLE
