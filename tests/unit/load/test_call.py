"""A failed call of a load fails the right step, and its lane's evidence says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.audio.marks import reply_to
from harness.case.checks.finding import as_raised
from harness.case.events import CallsRefused, Event
from harness.case.legs import LegEvents
from harness.case.verdict import Finding, Verdict
from harness.deployment.limits import CallGate
from harness.errors import BrokenError
from harness.integrations import load, matrix
from harness.integrations.matrix import Selection
from harness.phone.pool import PhonePool
from harness.phone.waiter import never_came
from harness.report.evidence import CaseEvidence
from harness.run.load import call as load_call
from harness.run.load.call import Lane, LoadCall
from harness.run.load.plan import LoadPlan
from harness.run.load.result import LoadResult
from harness.run.load.run import result
from harness.scenario.call import Call
from harness.support.resources import EXAMPLES
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import judged_again

_FILE = EXAMPLES / "simulated-talkdesk.toml"

Place = Callable[..., LoadCall]


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lane]:
    """A real lane without phones: no process is started and no call placed."""
    # a stall of this test's process is no matter of the lane's
    monkeypatch.setattr("harness.run.plugin.starvation.observe", lambda *given: None)
    deployment = load(_FILE)
    (case, *_) = matrix.cases([deployment], Selection(rows=("TD-INBOUND",), ais=("synthflow",)))
    with PhonePool(tmp_path / "phones") as pool:
        gate, marks = CallGate(tmp_path / "gate", deployment.limits), iter(range(200))
        timings = deployment.timings_by("quick")
        lane = Lane(tmp_path, case, deployment, timings, pool, marks, None, gate, 3, None)
        yield lane
        ended(lane)


@pytest.fixture
def place(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Makes a call of a step that is up, heard both ways, and has lost no packet."""

    def expect(context: Any, call: Any) -> Any:
        heard = finding(Verdict.PASSED)
        return SimpleNamespace(
            two_way_audio_with=lambda other, changed: context.evidence.raised(heard)
        )

    monkeypatch.setattr(load_call, "Expect", expect)
    monkeypatch.setattr(LoadCall, "_call", property(lambda self: self._context.calls.own[0]))
    monkeypatch.setattr(LoadCall, "_still_up", lambda self, call: True)
    monkeypatch.setattr(LoadCall, "_forget_recordings", lambda self, call: None)

    def place(step: int) -> LoadCall:
        lane._next += 1  # a slot is taken
        call = LoadCall(step, step, lane)
        leg = SimpleNamespace(
            id=f"caller.{step}",
            events=[SimpleNamespace(at=1.0)],
            facts=LegEvents([Event(at=1.0)]),
            direction="incoming",
            lost=0,
        )
        leg.state, leg.messages = "confirmed", ()
        leg.statistics, leg.invite = lambda: counted(1000, leg.lost), SimpleNamespace(at=1.0)
        own: Any = SimpleNamespace(
            label=leg.id, leg=leg, first_leg=leg, legs=[leg], number=None, is_over=lambda: False
        )
        own.answered_at, own.released_at, own.peer = lambda: 1.0, lambda within: None, None
        own.final_response, own.looks = lambda within: (0, ""), ()
        call._context.calls.own.append(own)
        call._ai_call = cast("Any", SimpleNamespace())
        return call

    return place


def finding(verdict: Verdict) -> Finding:
    return Finding("audio", "caller.1", verdict, "what is right", "what was seen", at=1.0)


def lose(call: LoadCall) -> None:
    leg: Any = call._context.calls.own[0].leg
    leg.lost = 100


def found_of(*calls: LoadCall, lanes: Sequence[Lane] = ()) -> LoadResult:
    steps: Any = SimpleNamespace(
        calls=list(calls), plan=LoadPlan(levels=(1, 2, 3), cps=1.0, hold_s=0.0), reached=[1, 2, 3], interrupted=False,
        lanes=lanes or [calls[0].lane], verdict=Verdict.FAILED,
    )  # fmt: skip
    return result(steps, began=0.0, wall_s=1.0)


@pytest.mark.parametrize("by_words", [False, True])
def test_loss_fails_the_step_in_which_it_occurs(
    place: Place, monkeypatch: pytest.MonkeyPatch, by_words: bool
) -> None:
    """Not the step in which the call was placed."""
    monkeypatch.setattr(LoadCall, "_is_known_by_words", by_words)
    call = place(1)
    call.verify_again(1)
    call.verify_again(2)
    assert (call.verdict, call.failed_in) == (Verdict.PASSED, None)
    lose(call)
    call.verify_again(3)
    assert (call.verdict, call.failed_in) == (Verdict.FAILED, 3)


def test_marks_of_other_calls_in_the_lane_are_foreign(lane: Lane) -> None:
    calls = []
    for step in (1, 2):
        leg: Any = SimpleNamespace(
            id=f"caller.{step}", mark=step, events=[], facts=LegEvents(), successor=None
        )
        of = LoadCall(step, step, lane)._context
        calls.append((of, of.calls.add(Call(of, leg, "caller"))))
    (of, call), _ = calls
    assert of.calls.strange(call.leg, {2, reply_to(1), reply_to(2)}) == {2, reply_to(2)}


def test_loss_seen_at_the_end_fails_the_last_step(place: Place) -> None:
    """The earlier steps were held."""
    calls = [place(step) for step in (1, 2, 3)]
    for step in (1, 2, 3):
        for call in calls[:step]:
            call.verify_again(step)
    lose(calls[0])
    for call in calls:
        call.conclude(3)
    found = found_of(*calls)
    assert [call.failed_in for call in calls] == [3, None, None]
    assert [(step.verdict, step.held) for step in found.steps] == [
        (Verdict.PASSED, 1),
        (Verdict.PASSED, 2),
        (Verdict.FAILED, 2),
    ]
    assert (found.first_failing_step, found.calls_held) == (3, 2)


def test_error_at_the_end_breaks_the_last_step(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone is lost after all steps were verified."""

    def conclude(context: Any, *, probe: bool) -> None:
        raise BrokenError("phone caller was lost")

    call = place(1)
    call.verify_again(1)
    monkeypatch.setattr(load_call, "conclude", conclude)
    call.conclude(3)
    assert (call.verdict, call.failed_in) == (Verdict.BROKEN, 3)


def test_late_finding_fails_the_step_in_which_the_call_was_placed(place: Place) -> None:
    """A transcript is available only after the call."""
    call = place(1)
    call.verify_again(1)
    late = as_raised(finding(Verdict.FAILED))
    call._context.looks_when_over.append(lambda: [late])
    call._context.calls.own[0].is_over = lambda: True  # type: ignore[method-assign]
    call.conclude(3)
    assert (call.verdict, call.failed_in) == (Verdict.FAILED, 1)


LOST = BrokenError("phone caller was lost")


def ended(lane: Lane) -> CaseEvidence:
    """End the lane; returns its evidence."""
    lane.__exit__(None, None, None)
    judged_again(lane.recorder)
    return CaseEvidence.read(lane.recorder.directory)


@pytest.mark.parametrize("had_passed", [True, False])
def test_broken_call_breaks_the_evidence_of_its_lane(
    place: Place, lane: Lane, monkeypatch: pytest.MonkeyPatch, had_passed: bool
) -> None:
    """Its findings alone would make the evidence passed or failed."""
    call = place(1)
    if had_passed:
        call.verify_again(1)

    def dies(self: LoadCall, call: Any) -> bool:
        raise LOST

    monkeypatch.setattr(LoadCall, "_still_up", dies)
    call.verify_again(2)
    evidence = ended(lane)
    assert (
        (evidence.verdict, evidence.message)
        == (call.verdict, call.message)
        == (Verdict.BROKEN, str(LOST))
    )


def test_wait_for_a_call_that_a_phone_had_no_room_for_breaks_the_call(
    place: Place, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a case of the matrix."""
    call = place(1)
    lane.context.evidence.event(CallsRefused(at=2.0, phone="ada", source="198.51.100.20"))

    def waits(self: LoadCall, call: Any) -> bool:
        raise never_came("a call", 1.0, "ada", "it never came", "")

    monkeypatch.setattr(LoadCall, "_still_up", waits)
    call.verify_again(1)
    assert (call.verdict, ended(lane).verdict) == (Verdict.BROKEN, Verdict.BROKEN)


def test_trunk_without_calls_is_not_observable(place: Place, lane: Lane, tmp_path: Path) -> None:
    """A step failed before its turn, and the results still name the trunk."""
    whole = lane.context
    every = matrix.cases([whole.deployment], Selection(rows=("TD-INBOUND",), ais=("synthflow",)))
    case = next(case for case in every if case.trunk != whole.case.trunk)
    given: Any = (
        whole.deployment,
        whole.timings,
        SimpleNamespace(),
        None,
        None,
        None,
        3,
        lambda begin, end: [],
    )
    with Lane(tmp_path, case, *given) as other:
        found = found_of(place(1), lanes=[lane, other])
    evidence = CaseEvidence.read(other.recorder.directory)
    assert evidence.verdict is Verdict.NOT_OBSERVABLE
    assert "no call of the load came to this trunk" in evidence.message
    assert [one.trunk for one in found.lanes] == [whole.case.trunk, case.trunk]
