"""A number that speaks before the AI does: behind its answer, or before it, as early media."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import CallState, Event
from harness.calls.verdict import ExpectationError, Verdict
from harness.scenario.cast import Cast
from harness.scenario.people import Caller
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, message
from tests.unit.scenario.waiting_clock import WaitingClock

ANNOUNCEMENT_S = 8.0


def dialled(clock: WaitingClock, early_s: float | None, answered_s: float | None) -> Any:
    """A call that is told of early media and answered so long after it was dialled."""
    began = clock.now
    states: list[Any] = [("calling", 0.0), ("early", early_s), ("confirmed", answered_s)]
    told: list[Event] = [CallState(at=began + at, state=state, **TOLD) for state, at in states if at is not None]
    made: Any = SimpleNamespace(id="caller.1", mark=7, successor=None, events=[], messages=[], direction="outgoing")
    made.invite = message(began, "sent", "INVITE sip:b@example.com SIP/2.0", "")

    def wait_state(state: str, within: float) -> Event:
        return clock.wait_event(
            made, told, state, lambda event: isinstance(event, CallState) and event.state == state, within
        )

    made.wait_state = wait_state
    return made


@pytest.mark.parametrize(
    ("early_s", "answered_s", "routed_s"),
    [
        (None, 1.0, 9.0),  # it answers, and speaks
        (0.5, 1.0, 9.0),  # it rings, answers, and speaks
        (0.2, 8.3, 8.3),  # it speaks first, and answers as the AI does
        (0.2, 6.2, 8.2),  # the AI is there before it has spoken to its end
        (0.2, None, None),
    ],
)
def test_a_number_may_speak_before_it_answers(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    early_s: float | None,
    answered_s: float | None,
    routed_s: float | None,
) -> None:
    """RFC 3960 section 3.1. The harness itself advises to let the AI answer the call (platform-answers-first)."""
    clock = WaitingClock()
    for module in ("expect", "call"):
        monkeypatch.setattr(f"harness.scenario.{module}.time", clock)
    context = make_context(clock=clock)
    assert context.patience < ANNOUNCEMENT_S - 1.0
    line = Cast(context).line(str(context.case.line))
    entry = line.entry.model_copy(update={"announcement_s": ANNOUNCEMENT_S, "press": None})
    began, made = clock.now, dialled(clock, early_s, answered_s)
    phone: Any = SimpleNamespace(config=SimpleNamespace(domain="example.com"), dial=lambda uri, headers: made)
    monkeypatch.setattr(Caller, "_prepared", lambda self: None)
    monkeypatch.setattr(type(context), "has_stand_in", True, raising=False)
    caller = Caller(context, "caller", phone, "+12065550100")
    spoken: Any = SimpleNamespace(did=line.did, entry=entry)
    if routed_s is None:
        with pytest.raises(ExpectationError):
            caller.call(spoken)
        assert context.evidence.findings[-1].verdict is Verdict.FAILED
    else:
        call = caller.call(spoken)
        assert call.routed - began == pytest.approx(routed_s)
        assert context.evidence.findings[-1].verdict is Verdict.PASSED
