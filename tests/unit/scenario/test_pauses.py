"""Pauses of the far end, so that the caller does not speak over an AI without marks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.calls.events import Event, Listened, MarkHeard
from harness.phone.waiter import never_came
from harness.scenario.ends import wait_for_pause

LOUD, QUIET = -20.0, -70.0


class Leg:
    """Has had these levels, one each 200 ms up to now."""

    def __init__(self, levels: Sequence[float] = (), marks: bool = False) -> None:
        now = time.monotonic()
        self.events: list[Event] = []
        for number, level in enumerate(levels):
            at = now + 0.2 * (number + 1)
            if marks:
                self.events.append(
                    MarkHeard(at=at, phone="p", leg="p.1", mark=240, began=at, level_dbov=level, quality=1.0)
                )
            self.events.append(Listened(at=at, phone="p", leg="p.1", seconds=at, level_dbov=level))

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, since: float) -> Event:
        for event in self.events:
            if event.at >= since and predicate(event):
                return event
        raise never_came(goal, within, "p.1", "nothing more", "")


def leg(**had: Any) -> Any:
    """As much of a leg as is listened to."""
    return Leg(**had)


@pytest.mark.parametrize(
    ("levels", "pauses"),
    [
        ([QUIET] * 5, True),
        ([LOUD] * 10 + [QUIET] * 4, True),
        ([LOUD, QUIET, QUIET, LOUD] * 5, False),  # between words
        ([QUIET] * 4 + [LOUD] * 3, False),  # it paused, and speaks again
        ([LOUD] * 20, False),
        ([], False),  # nobody listened
    ],
)
def test_a_pause_is_waited_for(levels: list[float], pauses: bool) -> None:
    assert wait_for_pause(leg(levels=levels)) is pauses
