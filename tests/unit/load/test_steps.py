"""The course of a load, with scripted calls."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case.verdict import Verdict
from harness.run.load import run as load_run
from harness.run.load.plan import LoadPlan
from tests.unit.clock import Clock


class ScriptedCall:
    """A call that is up until the test ends it."""

    def __init__(self, index: int, step: int, lane: Any) -> None:
        self.index, self.step = index, step
        self.failed_in: int | None = None
        self.is_up = self.was_placed = self.ended = False

    def place(self, may_dial: Callable[[], bool]) -> None:
        self.is_up = self.was_placed = may_dial()

    def verify_again(self, step: int) -> None:
        self._must_be_up(step)

    def end(self, step: int | None) -> None:
        if step is not None and self.failed_in is None:
            self._must_be_up(step)
        self.is_up, self.ended = False, True

    def _must_be_up(self, step: int) -> None:
        if not self.is_up and self.failed_in is None:
            self.failed_in = step

    def conclude(self, step: int) -> None: ...

    def interrupted(self, step: int) -> None:
        self.failed_in = step

    @property
    def verdict(self) -> Verdict:
        return Verdict.PASSED if self.failed_in is None else Verdict.FAILED


class Lane:
    stopped = False

    def hang_up(self) -> None: ...

    def interrupted(self) -> None:
        self.stopped = True


@pytest.fixture(autouse=True, scope="module")
def scripted() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_run, "LoadCall", ScriptedCall)
        yield


def run(
    levels: tuple[int, ...], told: Callable[[int, Sequence[Any]], None], lane: Lane | None = None
) -> load_run.Steps:
    made = load_run.Steps(LoadPlan(levels=levels, cps=1e6, hold_s=0.0), [lane or Lane()], told)  # type: ignore[list-item]
    made.run()
    return made


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_call_ended_by_the_far_end_does_not_pass(more: list[int], data: st.DataObject) -> None:
    """Any call, between two steps or between the last check and the hang-up."""
    levels = tuple(sum(more[: n + 1]) for n in range(len(more)))
    after = data.draw(st.integers(1, len(levels)), "the step after which it ends")
    which = data.draw(st.integers(1, levels[after - 1]), "the call")

    def told(number: int, calls: Sequence[Any]) -> None:
        if number == after:
            calls[which - 1].is_up = False

    made = run(levels, told)
    assert made.verdict is Verdict.FAILED
    assert made.calls[which - 1].failed_in == min(after + 1, len(levels))
    assert len(made.reached) == min(after + 1, len(levels)), (
        "no step is begun after the one that fails"
    )
    assert all(call.ended for call in made.calls)


def test_calls_that_stay_up_pass() -> None:
    made = run((1, 3, 4), lambda number, calls: None)
    assert (made.verdict, made.reached, len(made.calls)) == (Verdict.PASSED, [1, 3, 4], 4)


def test_ctrl_c_ends_all_calls_and_marks_the_load_interrupted() -> None:
    def told(number: int, calls: Sequence[Any]) -> None:
        raise KeyboardInterrupt

    made = run((2, 4), told, lane := Lane())
    assert (made.interrupted, made.reached) == (True, [2])
    assert lane.stopped, "its evidence says so, too"
    assert all(call.ended for call in made.calls)


def test_delayed_calls_still_keep_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, together, dialled = Clock(), threading.Barrier(3), []

    class Waiting(ScriptedCall):
        def place(self, may_dial: Callable[[], bool]) -> None:
            together.wait()
            super().place(may_dial)
            dialled.append(clock.now)

    monkeypatch.setattr(load_run, "LoadCall", Waiting)
    monkeypatch.setattr(load_run, "time", clock)
    made = load_run.Steps(
        LoadPlan(levels=(3,), cps=0.5, hold_s=0.0),
        [Lane()],  # type: ignore[list-item]
        lambda number, calls: None,
    )
    monkeypatch.setattr(
        made, "_stopped", SimpleNamespace(wait=clock.wait, is_set=lambda: False, set=lambda: None)
    )
    made.run()

    assert made.verdict is Verdict.PASSED
    assert all(later - sooner >= 2.0 for sooner, later in itertools.pairwise(sorted(dialled)))


def test_call_dialled_during_ctrl_c_is_hung_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its thread dials when all other calls have been hung up."""
    both_are_there, dialled, hung_up = threading.Barrier(2), threading.Event(), threading.Event()
    rounds: list[int] = []

    class Late(ScriptedCall):
        def place(self, may_dial: Callable[[], bool]) -> None:
            if self.index == 1:
                both_are_there.wait()
                raise KeyboardInterrupt
            super().place(may_dial)
            both_are_there.wait()
            while len(rounds) < 2:  # at the stop and at the end of the load
                threading.Event().wait(0.01)
            dialled.set()
            self.is_up = not hung_up.wait(10)

    class Lines(Lane):
        def hang_up(self) -> None:
            rounds.append(len(rounds))
            if dialled.is_set():
                hung_up.set()

    monkeypatch.setattr(load_run, "LoadCall", Late)
    made = run((2,), lambda number, calls: None, Lines())

    assert made.interrupted
    assert [call.is_up for call in made.calls] == [False, False]
