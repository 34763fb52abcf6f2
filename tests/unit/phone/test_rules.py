"""Every permit to call is returned once, with its call, in any order of calls, transfers and ends."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ResourceError
from harness.phone import rules
from harness.phone.rules import CallLimits, CallSlots, DeadlineScheduler, Rules


class Permits:
    """A gate that counts."""

    def __init__(self) -> None:
        self.given: list[Permit] = []
        self.waited_for: list[float] = []

    def admit(self, within: float) -> Any:
        self.waited_for.append(within)
        return self.another()

    def another(self) -> Any:
        self.given.append(Permit(self.another))
        return self.given[-1]


class Permit:
    def __init__(self, another: Callable[[], Any]) -> None:
        self.another = another
        self.released = 0

    def release(self) -> None:
        self.released += 1


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["dial", "receive", "refer", "follow", "end"]), st.integers(0, 99)
        )
    )
)
def test_a_permit_is_given_back_once_with_its_call(steps: list[tuple[str, int]]) -> None:
    permits = Permits()
    slots = CallSlots(Rules(admit=permits.admit))
    calls: list[CallLimits] = []
    for step, which in steps:
        if step in ("dial", "receive"):
            call = CallLimits()
            if step == "dial" and (slot := slots.take()) is not None:
                call.hold(slot)
            calls.append(call)
        elif step == "refer" and calls:
            slots.promise(calls[which % len(calls)])
        elif step == "follow" and (slot := slots.promised()) is not None:
            calls.append(CallLimits())
            calls[-1].hold(slot)
        elif step == "end" and calls:
            calls[which % len(calls)].release()
        held: set[Any] = {call.slot for call in calls if call.slot is not None}
        assert all(not permit.released for permit in held), (
            "a call is up on a permit that was given back"
        )
    for call in calls:
        call.release()
    assert [permit.released for permit in permits.given] == [1] * len(permits.given)


def test_a_permit_that_came_too_late_for_the_answer_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "_ANSWERED_WITHIN_S", -1.0)
    permits = Permits()
    slots = CallSlots(Rules(admit=permits.admit))
    with pytest.raises(ResourceError, match="too late for the answer to its REFER"):
        slots.promise(CallLimits())
    assert [permit.released for permit in permits.given] == [1]
    assert slots.promised() is None


def test_what_is_cancelled_is_not_done() -> None:
    scheduler, done = DeadlineScheduler(), queue.Queue[str]()
    cancel = scheduler.after(
        0.5, lambda: done.put("cancelled")
    )  # so long it may take until the next line
    cancel()
    cancel()
    scheduler.after(0.5, lambda: done.put("later"))
    assert done.get(timeout=10) == "later"
    scheduler.close()
