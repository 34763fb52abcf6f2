"""An AI without marks: it is not spoken over, and that it reacts is a sign that it hears."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.events import Event, Listened, MarkHeard
from harness.phone.waiter import never_came
from harness.scenario.reactions import Said, reaction, wait_for_pause

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


def call(**leg: Any) -> Any:
    return SimpleNamespace(leg=Leg(**leg))


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
    assert wait_for_pause(call(levels=levels)) is pauses


def test_a_mark_is_no_speech() -> None:
    assert wait_for_pause(call(levels=[LOUD] * 10, marks=True))


def speech(*parts: tuple[float, float]) -> Any:
    """Ten seconds with somebody speaking in these stretches."""
    audio = np.random.default_rng(1).normal(0, 3, 80_000).astype(np.int16)
    voice = np.tile(prompt_samples("connecting-you-en")[800:8800], 10)
    for began, ended in parts:
        audio[round(began * 8000) : round(ended * 8000)] = voice[: round(ended * 8000) - round(began * 8000)]
    return audio


@pytest.mark.parametrize(
    ("parts", "paused", "at", "how"),
    [
        ([(3.8, 6.0)], True, 3.8, "began to speak"),
        ([(0.0, 1.2), (4.5, 6.0)], True, 4.5, "began to speak"),
        ([], True, None, ""),
        ([(7.0, 8.0)], True, None, ""),  # too late to be an answer
        ([(2.5, 6.0)], True, None, ""),  # it spoke before it was asked
        ([(0.0, 2.7)], False, 2.7, "fell silent"),
        ([(0.0, 9.0)], False, None, ""),  # it talks on
        ([(0.0, 4.5)], False, None, ""),  # it had said what it had to say
    ],
)
def test_a_reaction_is_what_follows(parts: list[tuple[float, float]], paused: bool, at: float | None, how: str) -> None:
    found = reaction(call(audio=speech(*parts)), Said(2.0, 3.0, paused))
    if at is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] == pytest.approx(at, abs=0.15)
        assert how in found[1]
