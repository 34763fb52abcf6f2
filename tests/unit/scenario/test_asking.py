"""A caller asks for a person: by digits, words or silence, again while nothing comes of it, and while an AI is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.audio.prompts import prompt_samples
from harness.audio.wav import read_wav
from harness.calls.verdict import Verdict
from harness.deployment import Escalation, Handover
from harness.phone import Mark, Reject, Silence
from harness.phone.leg import accept_every_leg
from harness.phone.waiter import never_came
from harness.scenario import ai as place
from harness.scenario import call as call_module
from harness.scenario.ai import Ai
from harness.scenario.call import Call
from harness.scenario.context import CaseContext, Line
from harness.scenario.endpoints import StandInEndpoint
from tests.unit.scenario.conftest import MakeContext


class Asked:
    """What a caller did until somebody rang, who does so when it has asked for the ``rings_at``-th time."""

    def __init__(self, context: CaseContext, rings_at: int, over: bool) -> None:
        self.said: list[str] = []
        self.context = context
        agent = next(iter(context.deployment.groups.values())).agents[0]
        came = SimpleNamespace(events=[SimpleNamespace(at=time.monotonic())])
        rung = property(lambda phone: [came] if 0 < rings_at <= len(self.said) else [])
        context.phones._phones[agent] = type(
            "Agent", (), {"incoming": rung, "is_ours": staticmethod(accept_every_leg)}
        )()
        leg: Any = SimpleNamespace(
            id="caller.1",
            events=[],
            successor=None,
            state="disconnected" if over else "confirmed",
            play=lambda source: self.said.append(type(source).__name__),
            send_digits=lambda digits, method: self.said.append(digits),
        )
        caller = cast("Any", Call(context, leg, "caller"))
        caller.say = self._say
        caller.is_over = lambda: over
        self.caller = caller

    def _say(self, prompt: str) -> float:
        self.said.append(prompt)
        return time.monotonic()


@pytest.fixture
def ai_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "wait_for_pause", lambda leg: True)


@pytest.fixture
def ask(ai_pauses: None, make_context: MakeContext) -> Callable[..., Asked]:
    def ask(rings_at: int, *, over: bool = False, once: bool = False, **escalation: Any) -> Asked:
        context = make_context(escalation=Escalation.model_validate(escalation))
        context.patience = 0.0
        asked = Asked(context, rings_at, over)
        asked.caller.ask_for_a_person(once=once)
        context.background.join(30.0)
        return asked

    return ask


@pytest.mark.parametrize(
    ("rings_at", "times"), [(1, 1), (2, 2), (3, 3), (4, 3), (0, 3)], ids=["at once", "then", "at last", "late", "never"]
)
@pytest.mark.parametrize(("way", "said"), [("digit", "7"), ("prompt", "agent-please-en")])
def test_it_is_asked_again_while_nobody_rings(
    ask: Callable[..., Asked], way: str, said: str, rings_at: int, times: int
) -> None:
    asked = ask(rings_at, ways=[way], digit="7", prompt="agent-please-en", attempts=3, retry_after_s=0.001)
    assert asked.said == [said] * times
    asking = 0.002 + 2 * call_module.DIGIT_S * (way == "digit")
    assert asked.context.more_patience == pytest.approx(asking, abs=0.05)


@pytest.mark.parametrize("way", ["digit", "prompt", "silence"])
@pytest.mark.parametrize("unasked", [True, False])
def test_an_ai_that_hands_over_unasked_does_not_do_what_is_asked(
    make_context: MakeContext, way: str, unasked: bool
) -> None:
    context = make_context(
        escalation=Escalation.model_validate({"ways": [way], "digit": "7", "prompt": "agent-please-en"})
    )
    context.patience = 0.0
    asked = Asked(context, 0, over=True)
    context.phones._phones.clear()
    context.phones.rang_for = lambda numbers: ["billing"] if unasked or asked.said else []  # type: ignore[method-assign]
    asked.caller.ask_for_a_person()
    context.background.join(30.0)
    told = [(finding.check, finding.verdict, finding.expected) for finding in context.evidence.findings]
    before = "it does not ring before the caller asks for a person"
    assert told == [("landing.turn", Verdict.FAILED, before)] * unasked


def test_silence_ends_when_somebody_rings(ask: Callable[..., Asked]) -> None:
    asked = ask(1, ways=["silence"], silence_s=20.0)
    assert asked.said == [Silence.__name__, Mark.__name__]
    assert asked.context.more_patience == 20.0


class AskingBack(Asked):
    """The AI asks back each time; it takes ``a_prompt_s`` to say one, and the AI asks back as long."""

    def __init__(
        self, context: CaseContext, monkeypatch: pytest.MonkeyPatch, rings_at: int, ends_at: int, a_prompt_s: float
    ) -> None:
        super().__init__(context, rings_at, over=False)
        self.ends_at, self.a_prompt_s, self.now = ends_at, a_prompt_s, 1000.0
        ours = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(call_module, "time", ours)
        monkeypatch.setattr(context, "pause", self._passes)
        self.caller.let_answer = lambda since, within: self._passes(a_prompt_s)
        self.caller.say = self._says
        self.caller.is_over = lambda: 0 < ends_at <= len(self.said)
        prompts: dict[str, Any] = {
            "ways": ("prompt",),
            "prompt": "bills.wav",
            "digit": None,
            "then": ("and.wav", "this.wav"),
        }
        handover = Handover.model_construct(transfer="cold", transfer_to="x", **prompts)
        monkeypatch.setattr(CaseContext, "handover", handover)
        monkeypatch.setattr(CaseContext, "asks_by", "prompt")

    def _passes(self, seconds: float) -> None:
        self.now += seconds

    def _says(self, prompt: str) -> float:
        if self.caller.is_over():
            raise never_came("caller.1 still up, to play", 0.0, "caller.1", "it ended", "")
        self.said.append(prompt)
        self.now += self.a_prompt_s
        return self.now


@given(
    attempts=st.integers(1, 4),
    a_prompt_s=st.floats(0.5, 5.0),
    rings_at=st.integers(0, 12),
    ends_at=st.integers(0, 12),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_who_asks_back_is_answered_until_somebody_rings_and_there_is_time_for_each_asking(
    make_context: MakeContext, attempts: int, a_prompt_s: float, rings_at: int, ends_at: int
) -> None:
    context = make_context(escalation=Escalation(attempts=attempts, retry_after_s=8.0))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(call_module, "wait_for_pause", lambda leg: True)
        asked = AskingBack(context, monkeypatch, rings_at, ends_at, a_prompt_s)
        asked.caller.ask_for_a_person()
        began = asked.now
        context.background.join(30.0)
    last = min(filter(None, (rings_at, ends_at)), default=99)
    assert len(asked.said) == min(last, 3 * attempts), "nobody is answered who has rung, or hung up"
    if last > 3:
        asking_s = 3 * a_prompt_s + 2 * a_prompt_s
        assert context.more_patience == pytest.approx((attempts - 1) * (8.0 + asking_s))
        assert asked.now - began <= context.more_patience + 8.1


@pytest.mark.parametrize("names_marks", [True, False])
@pytest.mark.parametrize("phone", ["caller", "X7/Ml8 (test)", "../../out"])
def test_an_ai_that_names_no_marks_hears_the_end_of_a_turn(
    ai_pauses: None, make_context: MakeContext, names_marks: bool, phone: str
) -> None:
    """A mark behind the words is a caller who speaks on to whatever goes by loudness, and is never answered."""
    played: list[Any] = []
    leg: Any = SimpleNamespace(id=f"{phone}.1", events=[], successor=None, state="confirmed", play=played.append)
    context = make_context()
    caller = Call(context, leg, "caller")
    if not names_marks:
        caller.looks.append(cast("Any", object()))
    caller.speak("hello-en", 2.0)
    words, (said, rate) = prompt_samples("hello-en"), read_wav(played[0].path)
    assert said[: len(words)].tolist() == words.tolist()
    behind = said[len(words) :]
    assert len(behind) == (0 if names_marks else 2.0 * rate)
    assert not behind.any()
    assert names_marks or played[0].path.parent == context.evidence.directory


# -- An AI that was down is back only when nothing of the case's can come to it any more: the next case would take it for its own


TIMER_B_S = 32.0  # RFC 3261 section 17.1.1.2


@dataclass
class Phone:
    """The stand-in's, on a clock of its own; the platform's INVITE comes at ``comes_at``, if ever."""

    clock: list[float]
    comes_at: float | None
    name: str = "stand-in"
    policy: Any = None
    is_ours: Any = accept_every_leg
    refused: list[float] = field(default_factory=list)

    def next_call(self, within: float) -> Any:
        until = self.clock[0] + max(0.0, within)
        if self.comes_at is None or self.comes_at > until or within <= 0:  # it waits nowhere meanwhile
            self.clock[0] = until
            raise never_came("a call", within, self.name, "no call", "")
        self.clock[0] = max(self.clock[0], self.comes_at)
        assert isinstance(self.policy, Reject), "it would be answered"
        self.refused.append(self.clock[0])
        return SimpleNamespace()


def down(context: CaseContext, phone: Any, monkeypatch: pytest.MonkeyPatch, rang_at: float | None) -> None:
    """The case's AI is down, an agent rings in its place, and the case comes to its end."""
    rang = [] if rang_at is None else [SimpleNamespace(direction="incoming", events=[SimpleNamespace(at=rang_at)])]
    monkeypatch.setattr(type(context.phones), "legs", rang)
    monkeypatch.setattr(Ai, "_take", lambda _: StandInEndpoint(context, phone, context.trunk))
    monkeypatch.setattr(type(context.phones), "leave", lambda *_: None)
    monkeypatch.setattr(place, "time", SimpleNamespace(monotonic=lambda: phone.clock[0]))
    ai = Ai(context)
    ai.take_place()
    entry: Any = SimpleNamespace(reachable=True)
    line: Line = SimpleNamespace(entry=entry)  # type: ignore[assignment]
    ai.goes_down(line)
    for wait in context.outlasted:
        wait()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    after=st.floats(0.0, 40.0),
    comes=st.one_of(st.none(), st.floats(0.0, 60.0)),
    rang=st.one_of(st.none(), st.floats(0.0, 1.0)),
)
def test_what_the_platform_sends_again_is_refused_before_the_case_is_over(
    make_context: MakeContext, after: float, comes: float | None, rang: float | None
) -> None:
    """The agent's phone rang behind the INVITE, so that from then on it may come for as long as Timer B."""
    context = make_context("TD-FALLBACK-DOWN", "stand-in")
    clock = [1000.0 + after]
    rang_at = None if rang is None else 1000.0 + rang * after
    phone = Phone(clock, None if comes is None else 1000.0 + comes)
    last = (rang_at if rang_at is not None else 1000.0 + after) + TIMER_B_S
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(context), "trunk", SimpleNamespace(transport="udp"))
        down(context, phone, patch, rang_at)
    ended_late = 1000.0 + after >= last  # the case itself took so long that nothing can come any more
    assert bool(phone.refused) is (phone.comes_at is not None and phone.comes_at <= last and not ended_late)
    assert phone.refused or clock[0] == pytest.approx(max(last, 1000.0 + after))
