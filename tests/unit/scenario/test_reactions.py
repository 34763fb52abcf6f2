"""An AI without marks is not spoken over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.audio import experiment
from harness.audio.experiment import ExperimentResult
from harness.events import Event, Listened, MarkHeard
from harness.phone.waiter import never_came
from harness.scenario import reactions
from harness.scenario.reactions import wait_for_pause
from tests.unit.scenario.conftest import MakeContext

LOUD, QUIET = -20.0, -70.0


class Leg:
    """Has had these levels, one each 200 ms up to now, and received this audio since ``origin``."""

    def __init__(
        self, levels: Sequence[float] = (), marks: bool = False, origin: float = 0.0, audio: Any = None
    ) -> None:
        now = time.monotonic()
        self.events: list[Event] = []
        for number, level in enumerate(levels):
            at = now + 0.2 * (number + 1)
            if marks:
                self.events.append(
                    MarkHeard(at=at, phone="p", leg="p.1", mark=240, began=at, level_dbov=level, quality=1.0)
                )
            self.events.append(Listened(at=at, phone="p", leg="p.1", seconds=at, level_dbov=level))
        self._origin, self._audio = origin, audio

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, since: float) -> Event:
        for event in self.events:
            if event.at >= since and predicate(event):
                return event
        raise never_came(goal, within, "p.1", "nothing more", "")

    def received_since(self, since: float) -> Any:
        return self._audio[max(0, round((since - self._origin) * 8000)) :]


def leg(**had: Any) -> Any:
    """As much of a leg as is listened to."""
    return Leg(**had)


@pytest.mark.parametrize(
    ("levels", "pauses"),
    [
        ([QUIET] * 5, True),
        ([LOUD] * 10 + [QUIET] * 4, True),
        ([LOUD, QUIET, QUIET, LOUD] * 5, False),  # between words
        ([LOUD] * 20, False),
        ([], False),  # nobody listened
    ],
)
def test_a_pause_is_waited_for(levels: list[float], pauses: bool) -> None:
    assert wait_for_pause(leg(levels=levels)) is pauses


def test_a_mark_is_no_speech() -> None:
    assert wait_for_pause(leg(levels=[LOUD] * 10, marks=True))


@pytest.mark.parametrize(
    ("chances", "tries", "is_one"),
    [
        ([0.00002], 1, True),
        ([0.002, 0.0004], 2, True),  # once more, where it is open; 1 in 1,250 is stated
        ([0.002, 0.0006], 2, False),  # in two tries such a chance is 1 in 833
        ([0.4], 1, False),
    ],
)
def test_the_chance_that_is_stated_is_that_of_all_tries(
    monkeypatch: pytest.MonkeyPatch, make_context: MakeContext, chances: list[float], tries: int, is_one: bool
) -> None:
    left = list(chances)
    monkeypatch.setattr(experiment, "judge", lambda spoken, sent, heard: ExperimentResult(left.pop(0), 38760))
    played: list[object] = []
    phone: Any = SimpleNamespace(id="caller.1", play=played.append, received_since=lambda since: [])
    found = reactions.experiment(make_context(), phone)
    assert (len(played), found.tries, found.is_one) == (tries, tries, is_one)
    assert f"1 in {1 / (tries * chances[-1]):,.0f}" in found.words or chances == [0.4]
    assert left == []
