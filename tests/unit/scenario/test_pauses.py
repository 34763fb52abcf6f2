"""Pauses of the far end, so that the caller does not speak over an AI without marks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import Event, Listened, MarkHeard
from harness.case.legs import LegEvents
from harness.phone import Silence
from harness.phone.waiter import never_came
from harness.scenario.ends import wait_for_greeting, wait_for_pause
from harness.scenario.people import Caller
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext

LOUD, QUIET = -20.0, -70.0


class Leg:
    """Has had these levels, one each 200 ms; a ``live`` one gets them during the wait."""

    def __init__(
        self, levels: Sequence[float] = (), marks: bool = False, *, live: bool = False
    ) -> None:
        now = time.monotonic()
        self._coming: list[Event] = []
        self.events: list[Event] = [] if live else self._coming
        for number, level in enumerate(levels):
            at = now + 0.2 * (number + 1)
            if marks:
                self._coming.append(
                    MarkHeard(
                        at=at,
                        phone="p",
                        leg="p.1",
                        mark=240,
                        began=at,
                        level_dbov=level,
                        quality=1.0,
                    )
                )
            self._coming.append(Listened(at=at, phone="p", leg="p.1", seconds=at, level_dbov=level))

    @property
    def facts(self) -> LegEvents:
        return LegEvents(self.events)

    def wait_for(
        self,
        kind: type[Event],
        goal: str,
        predicate: Callable[[Any], bool],
        within: float,
        since: float,
        **_: Any,
    ) -> Event:
        return self.wait(goal, lambda e: isinstance(e, kind) and predicate(e), within, since)

    def wait(
        self, goal: str, predicate: Callable[[Event], bool], within: float, since: float
    ) -> Event:
        for event in self._coming:
            if self.events is not self._coming:
                self.events.append(event)
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
        (
            [-40.0, -39.0] * 3 + [LOUD, -25.0] * 4 + [-39.0, -40.0] * 4,
            True,
        ),  # over background noise
        ([-40.0, -39.0] * 3 + [LOUD, -25.0] * 4, False),
    ],
)
def test_a_pause_is_waited_for(levels: list[float], pauses: bool) -> None:
    assert wait_for_pause(leg(levels=levels)) is pauses


@pytest.mark.parametrize("noise", [[QUIET] * 2, [-40.0, -39.0]], ids=["silence", "noise"])
@pytest.mark.parametrize(
    ("before", "spoken", "after", "marks", "pulses"),
    [
        (3, 10, 9, False, 3 + 10 + 5),  # a second after the greeting
        (3, 1, 19, False, 18),  # a click
        (20, 5, 9, False, 18),  # it says nothing for 3.5 s
        (3, 10, 9, True, 1),  # a harness phone answered
    ],
)
def test_caller_is_silent_until_the_greeting_has_ended(
    noise: list[float], before: int, spoken: int, after: int, marks: bool, pulses: int
) -> None:
    around = noise * 10
    far_end = leg(
        levels=around[:before] + ([LOUD, -24.0, -28.0, -19.0] * 3)[:spoken] + around[:after],
        marks=marks,
        live=True,
    )
    wait_for_greeting(far_end, time.monotonic(), 3.5)
    assert sum(isinstance(event, Listened) for event in far_end.events) in (pulses - marks, pulses)


@pytest.mark.parametrize(
    ("row", "ai", "witness", "expected"),
    [
        ("TD-INBOUND", "synthflow", ("record",), True),
        ("TD-INBOUND", "synthflow", ("record", "marks"), False),
        ("TD-INBOUND", "stand-in", ("record",), False),
        (
            "TD-FALLBACK-REFUSED",
            "synthflow",
            ("record",),
            False,
        ),  # people answer, and a mark is theirs to hear
    ],
)
def test_caller_lets_an_ai_without_marks_greet_first(
    make_context: MakeContext, row: str, ai: str, witness: tuple[str, ...], expected: bool
) -> None:
    context = make_context(row, ai)
    assert context.deployment.synthflow is not None
    far_end = context.deployment.synthflow.model_copy(update={"witness": witness})
    context.deployment = context.deployment.model_copy(update={"synthflow": far_end})
    dialled: list[Any] = []
    phone: Any = SimpleNamespace(config=SimpleNamespace(domain="x"))

    def dial(uri: str, headers: object, play: object) -> Any:
        dialled.append(play)
        return SimpleNamespace(events=[], facts=LegEvents(), id="caller.1")

    phone.dial = dial
    call = Caller(context, "caller", phone, "+12025550101").dial("+12025550100")
    assert (isinstance(dialled[0], Silence), call.is_quiet) == (expected, expected)


def test_a_wait_that_was_held_up_past_its_end_looks_again(
    make_context: MakeContext, clock: Clock
) -> None:
    context = make_context(clock=clock)
    looks: list[float] = []

    def look() -> bool:
        looks.append(clock.now)
        clock.now += 0.5
        return len(looks) > 1

    assert context.wait_for(look, 0.3)
