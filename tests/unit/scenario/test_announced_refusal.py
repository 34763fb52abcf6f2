"""A refusal may come behind an announcement that says why: as early media, which is heard out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.calls.events import CallState, Event, Listened
from harness.calls.verdict import Verdict
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, leg, message
from tests.unit.scenario.waiting_clock import WaitingClock


def refused(clock: WaitingClock, after_s: float, speaks: Callable[[float], bool]) -> Any:
    """A call that is refused so late, and at which somebody ``speaks`` meanwhile."""
    dialled = clock.now
    made = leg([], [message(dialled, "sent", "INVITE sip:b@example.com SIP/2.0", "")])
    pulses = [dialled + number / 5 for number in range(round(after_s * 5))]
    heard: list[Event] = [
        Listened(at=at, seconds=at - dialled, level_dbov=-20.0 if speaks(at - dialled) else -90.0, **TOLD)
        for at in pulses
    ]
    answer = message(dialled + after_s, "received", "SIP/2.0 404 Not Found", "t")
    over = CallState(at=dialled + after_s, state="disconnected", code=404, reason="Not Found", **TOLD)

    def wait(goal: str, predicate: Any, within: float, since: float = 0.0, **_: Any) -> Event:
        told = (*heard, answer, over)
        return clock.wait_event(made, told, goal, lambda event: since <= event.at and predicate(event), within)

    made.wait = wait
    return made


@pytest.mark.parametrize(
    ("after_s", "speaks", "verdict"),
    [
        (2.0, lambda at: False, Verdict.PASSED),
        (20.0, lambda at: at % 8 < 6, Verdict.PASSED),  # it is said three times
        (20.0, lambda at: False, Verdict.FAILED),
        (20.0, lambda at: at % 6 < 2, Verdict.FAILED),  # it rings
        (90.0, lambda at: True, Verdict.FAILED),
    ],
)
def test_a_refusal_may_come_behind_an_announcement(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, after_s: float, speaks: Any, verdict: Verdict
) -> None:
    context, clock = make_context("NOSUCHNUMBER"), WaitingClock()
    for module in ("expect", "call", "listening"):
        monkeypatch.setattr(f"harness.scenario.{module}.time", clock)
    Expect(context, Call(context, refused(clock, after_s, speaks), "caller")).ends_with((404,))
    assert context.evidence.findings[-1].verdict is verdict
