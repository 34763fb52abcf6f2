"""A caller's way in: announcements before and after the answer, menus, refusals, and several calls at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import CallState, Event, Listened
from harness.calls.verdict import ExpectationError, Verdict
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from harness.scenario.cast import Cast
from harness.scenario.expect import Expect
from harness.scenario.people import AssistantOf, Caller
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, leg, message


class WaitingClock(Clock):
    """A clock that goes on when somebody waits in vain."""

    def wait_event(
        self, made: Any, told: Sequence[Event], goal: str, wanted: Callable[[Event], bool], within: float
    ) -> Event:
        """The first wanted event of ``told``; the leg ``made`` has all that came until then."""
        for event in told:
            if event.at <= self.now + within and wanted(event):
                self.now = max(self.now, event.at)
                made.events = [one for one in told if one.at <= self.now]
                return event
        self.now += within
        raise never_came(goal, within, "caller.1", "nothing", "")


# -- A caller's way in: announcements before and after the answer, menus, refusals, and several calls at once


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


# -- A number that speaks before the AI does: behind its answer, or before it, as early media


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


# -- A refusal may come behind an announcement that says why: as early media, which is heard out


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


# -- Several calls to one AI: a harness phone has answered each before the next is placed, which the limits may hold back for long


@pytest.mark.parametrize(
    ("is_ours", "order"),
    [
        (True, ["one is placed", "one is answered", "two is placed", "two is answered"]),
        (False, ["one is placed", "two is placed", "one is answered", "two is answered"]),
    ],
)
def test_a_call_does_not_ring_at_a_phone_of_ours_until_the_limits_let_the_next_be_placed(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, is_ours: bool, order: list[str]
) -> None:
    """It rang until the platform fell back, and the AI's side was named as certain: an assistant that is not published."""
    happened: list[str] = []

    def placed(name: str) -> Any:
        happened.append(f"{name} is placed")
        return name

    def answered(self: AssistantOf, of: Any, within: float | None = None) -> Any:
        happened.append(f"{of} is answered")
        return f"talk of {of}"

    context = make_context()
    name = next(iter(context.deployment.assistants))
    line: Any = SimpleNamespace(entry=SimpleNamespace(assistant=name, announcement_s=0.0))
    ai: Any = SimpleNamespace(is_ours=is_ours)
    monkeypatch.setattr(AssistantOf, "expect_call", answered)
    talks: Any = AssistantOf(context, ai, line).expect_calls(placed(each) for each in ("one", "two"))
    assert happened == order
    assert talks == [("one", "talk of one"), ("two", "talk of two")]
