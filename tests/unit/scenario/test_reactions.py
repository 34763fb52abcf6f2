"""An AI without marks is not spoken over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio import experiment
from harness.audio.experiment import ExperimentResult
from harness.calls.events import Event, Listened, MarkHeard
from harness.phone.waiter import never_came
from harness.scenario import signs
from harness.scenario.ends import wait_for_pause
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
        ([QUIET] * 4 + [LOUD] * 3, False),  # it paused, and speaks again
        ([LOUD] * 20, False),
        ([], False),  # nobody listened
    ],
)
def test_a_pause_is_waited_for(levels: list[float], pauses: bool) -> None:
    assert wait_for_pause(leg(levels=levels)) is pauses


@pytest.mark.parametrize(
    ("chances", "stated", "is_one"),
    [
        ([0.00002], 0.00004, True),
        ([0.0006, 0.00001], 4.78e-07, True),  # once more, where it is open
        ([0.0006, 0.1, 0.5], 0.0158, False),  # enough, were the first the only one
        ([0.01, 0.003, 0.01], 3.1e-4, True),  # each says a little, all of them say it
        ([0.4], 0.8, False),
    ],
)
def test_the_chance_that_is_stated_is_that_of_all_tries(
    monkeypatch: pytest.MonkeyPatch,
    make_context: MakeContext,
    chances: list[float],
    stated: float,
    is_one: bool,
) -> None:
    found, played = made(monkeypatch, make_context, chances)
    assert played == len(chances) == len(found.outcomes)
    assert found.is_one is is_one
    assert found.chance == pytest.approx(stated, rel=0.02)
    assert f"1 in {1 / found.chance:,.0f}" in found.words or stated > 0.5


def test_an_echo_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, make_context: MakeContext) -> None:
    found, played = made(monkeypatch, make_context, [0.00001], echo=True)
    assert (played, found.is_one) == (1, False)
    assert "echo" in found.words


def made(
    monkeypatch: pytest.MonkeyPatch,
    make_context: MakeContext,
    chances: list[float],
    *,
    old_s: float = 5.0,
    echo: bool = False,
    name: str = "caller",
) -> tuple[signs.Reaction, int]:
    """An experiment on a call that has been up for ``old_s``, and how often the caller spoke for it."""
    left = list(chances)
    monkeypatch.setattr(experiment, "judge", lambda spoken, sent, heard: ExperimentResult(left.pop(0), echo))
    played: list[Any] = []
    began = SimpleNamespace(at=time.monotonic() - old_s)
    phone: Any = SimpleNamespace(
        id=f"{name}.1", events=[began], play=played.append, received_since=lambda since: np.zeros(0, np.int16)
    )
    context = make_context()
    found = signs.experiment(context, phone)
    assert {source.path.parent for source in played} <= {context.evidence.directory}
    return found, len(played)
