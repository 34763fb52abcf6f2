"""Menus, one behind the other: a digit for each, when it has said what there is to choose."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import CallState, Event, Listened
from harness.scenario.cast import Cast
from harness.scenario.people import Caller
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, message
from tests.unit.scenario.waiting_clock import WaitingClock

ANSWERED_S = 0.4


def called(clock: WaitingClock, speaks: list[tuple[float, float]], pressed: list[tuple[float, str]]) -> Any:
    """A call at whose menus somebody speaks between these seconds after its answer; digits go to ``pressed``."""
    answered = clock.now + ANSWERED_S
    told: list[Event] = [CallState(at=answered, state="confirmed", **TOLD)]
    for pulse in range(1, 60):
        loud = any(begin <= pulse / 5 <= end for begin, end in speaks)
        at = answered + pulse / 5
        told.append(Listened(at=at, seconds=pulse / 5, level_dbov=-20.0 if loud else -96.0, **TOLD))
    made: Any = SimpleNamespace(id="caller.1", mark=7, successor=None, events=[], messages=[], direction="outgoing")
    made.invite = message(clock.now, "sent", "INVITE sip:b@example.com SIP/2.0", "")

    def wait(goal: str, predicate: Any, within: float, since: float = 0.0, **_: Any) -> Event:
        return clock.wait_event(made, told, goal, lambda event: since <= event.at and predicate(event), within)

    made.wait = wait
    made.wait_state = lambda state, within: wait(state, lambda e: getattr(e, "state", "") == state, within)
    made.send_digits = lambda digits, method: pressed.append((clock.now - answered, digits))
    return made


@pytest.mark.parametrize(
    ("speaks", "second_s"),
    [
        ([(1.2, 2.0)], 2.7),  # a digit that comes before the menu has begun is lost (as with Twilio's Gather)
        ([(0.0, 0.4), (1.2, 2.0)], 2.7),  # the first one's words are cut off by the digit, a moment later
        ([], 3.7),  # it says nothing
    ],
)
def test_a_digit_waits_for_its_own_menu(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, speaks: list[tuple[float, float]], second_s: float
) -> None:
    clock = WaitingClock()
    for module in ("expect", "call", "reactions"):
        monkeypatch.setattr(f"harness.scenario.{module}.time", clock)
    context = make_context(clock=clock)
    monkeypatch.setattr(Caller, "_prepared", lambda self: None)
    monkeypatch.setattr(type(context), "has_stand_in", True, raising=False)
    line = Cast(context).line(str(context.case.line))
    entry = line.entry.model_copy(update={"announcement_s": 0.0, "press": "21"})
    pressed: list[tuple[float, str]] = []
    made = called(clock, speaks, pressed)
    phone: Any = SimpleNamespace(config=SimpleNamespace(domain="example.com"), dial=lambda uri, headers: made)
    Caller(context, "caller", phone, "+12065550100").call(SimpleNamespace(did=line.did, entry=entry))  # type: ignore[arg-type]
    (_, first), (at, second) = pressed
    assert (first, second) == ("2", "1")
    assert at == pytest.approx(second_s, abs=0.35)
