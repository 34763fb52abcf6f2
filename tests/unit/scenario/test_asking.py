"""A caller asks for a person: by digits, words or silence, again while nothing comes of it, and
while an AI is down.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.audio.wav import read_wav
from harness.case.verdict import Verdict
from harness.deployment import Escalation, Handover
from harness.errors import PhoneMisuseError
from harness.phone import Mark, Reject, Silence
from harness.phone.waiter import never_came
from harness.scenario import call as call_module
from harness.scenario.ai import Ai
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.endpoints import StandInEndpoint
from harness.scenario.ends import PAUSES_WITHIN_S
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import CALLER, STRANGER, ScriptedPhone, leg

PROMPT = "agent-please-en"


class Asker(Call):
    """A caller whose prompts take 2 s; somebody rings, or the call ends, when it has asked so
    often.
    """

    def __init__(
        self, context: CaseContext, clock: Clock, rings_at: int = 0, ends_at: int = 0
    ) -> None:
        super().__init__(context, leg(), "caller", CALLER)
        self.clock, self.rings_at, self.ends_at = clock, rings_at, ends_at
        self.said: list[str] = self.leg.did  # type: ignore[attr-defined]
        context.phones.rang = lambda *_, **__: self._rang()  # type: ignore[method-assign]

    def _rang(self) -> list[str]:
        return ["billing"] if 0 < self.rings_at <= len(self.said) else []

    def say(self, prompt: str) -> float:
        if self.is_over():
            raise never_came("caller.1 still up, to play", 0.0, "caller.1", "it ended", "")
        self.said.append(prompt)
        self.clock.now += 2.0
        return self.clock.now

    def is_over(self) -> bool:
        return 0 < self.ends_at <= len(self.said)


@pytest.fixture(autouse=True)
def ai_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "wait_for_pause", lambda leg: True)


def asked(make_context: MakeContext, clock: Clock, *, once: bool = False, **how: Any) -> Asker:
    numbers = {name: how.pop(name) for name in ("rings_at", "ends_at") if name in how}
    escalation = Escalation.model_validate(
        {"digit": "7", "prompt": PROMPT, "retry_after_s": 8.0, **how}
    )
    context = make_context(escalation=escalation, clock=clock)
    context.patience = 0.0
    caller = Asker(context, clock, **numbers)
    caller.ask_for_a_person(once=once)
    context.background.join(30.0)
    return caller


@pytest.mark.parametrize(
    ("how", "said", "more_s"),
    [
        ({}, ["7"], 0.0),
        ({"attempts": 3, "rings_at": 2}, ["7"] * 2, 16.4),
        ({"attempts": 3}, ["7"] * 3, 16.4),
        ({"attempts": 3, "once": True}, ["7"], 0.0),  # nothing can come of it
        ({"attempts": 3, "ends_at": 1}, ["7"], 16.4),
        (
            {"ways": ["prompt"], "attempts": 3},
            [PROMPT] * 3,
            20.0,
        ),  # the prompts take their time as well
        ({"ways": ["silence"], "silence_s": 20.0, "rings_at": 1}, ["Silence", "Mark"], 20.0),
    ],
)
def test_a_caller_asks_again_while_nobody_rings(
    make_context: MakeContext, clock: Clock, how: dict[str, Any], said: list[str], more_s: float
) -> None:
    caller = asked(make_context, clock, **how)
    names = [
        type(each).__name__ if isinstance(each, Silence | Mark) else each for each in caller.said
    ]
    assert names == said
    assert caller._context.more_patience == pytest.approx(more_s, abs=0.05)


def test_a_silent_caller_whose_transfer_was_refused_sends_its_mark_again(
    make_context: MakeContext,
) -> None:
    caller = Call(make_context(), leg(), "caller", CALLER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            CaseContext,
            "handover",
            Handover.model_construct(transfer="cold", transfer_to="x", ways=("silence",), then=()),
        )
        caller._ask("silence")
    caller.end_silence()
    caller.end_silence()
    assert [type(each) for each in caller.leg.did] == [Silence, Mark]  # type: ignore[attr-defined]


def test_a_silent_caller_whose_call_has_just_ended_sends_no_mark(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Call(make_context(), leg(), "caller", CALLER)

    def ended(source: object) -> None:
        raise PhoneMisuseError("caller.1 has ended")

    monkeypatch.setattr(caller.leg, "play", ended)
    caller._asks_silently = True
    caller.end_silence()


def test_a_silent_caller_speaks_again_while_a_refused_transfer_still_looks_up(
    make_context: MakeContext,
) -> None:
    """The AI knows of the refusal before the caller's phone reports that its new call has failed."""
    first, refused = leg(), leg(name="caller.2", state="calling")
    first.successor = refused

    def ended(source: object) -> None:
        raise PhoneMisuseError("caller.2 has ended")

    refused.play = ended
    caller = Call(make_context(), first, "caller", CALLER)
    caller._asks_silently = True
    caller.end_silence()
    assert [type(each) for each in first.did] == [Mark]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, [PROMPT, "and.wav", "4"]),
        ({"rings_at": 2}, [PROMPT, "and.wav"]),  # once an agent rings, the caller says no more
        ({"ends_at": 1}, [PROMPT]),
    ],
)
def test_an_ai_that_asks_back_is_answered(
    make_context: MakeContext, clock: Clock, answers: dict[str, int], said: list[str]
) -> None:
    context = make_context(clock=clock)
    handover = Handover.model_construct(
        transfer="cold",
        transfer_to="x",
        ways=("prompt",),
        prompt=PROMPT,
        digit=None,
        then=("and.wav", "4"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CaseContext, "handover", handover)
        patch.setattr(CaseContext, "asks_by", "prompt")
        caller = Asker(context, clock, **answers)
        caller.ask_for_a_person()
    assert caller.said == said


@pytest.mark.parametrize(
    ("shown", "shared", "verdicts"),
    [
        (CALLER, True, [Verdict.FAILED]),
        (STRANGER, True, []),  # where strangers ring as well, a call has to show its caller
        ("anonymous", True, []),
        ("anonymous", False, [Verdict.FAILED]),
    ],
)
def test_an_agent_who_rings_before_the_caller_asks_fails(
    make_context: MakeContext, clock: Clock, shown: str, shared: bool, verdicts: list[Verdict]
) -> None:
    context = make_context(escalation=Escalation(digit="7"), clock=clock)
    agent = next(iter(context.deployment.groups.values())).agents[0]
    phone: Any = ScriptedPhone(agent)
    phone.rings(shown, at=clock.now)
    if shared:
        phone.is_ours = context.phones.may_be_ours
    context.phones._phones[agent] = phone
    Call(context, leg(), "caller", CALLER).ask_for_a_person(once=True)
    assert [finding.verdict for finding in context.evidence.findings] == verdicts


@pytest.mark.parametrize("names_marks", [True, False])
@pytest.mark.parametrize("phone", ["caller", "X7/Ml8 (test)", "../../out"])
def test_an_ai_that_names_no_marks_hears_the_end_of_a_turn(
    make_context: MakeContext, names_marks: bool, phone: str
) -> None:
    """To whatever goes by loudness, a mark behind the words is a caller who speaks on, and is never
    answered.
    """
    context = make_context()
    caller = Call(context, leg(name=f"{phone}.1"), "caller")
    look: Any = object()
    caller.looks += [] if names_marks else [look]
    caller.speak("hello-en")
    (source,) = caller.leg.did  # type: ignore[attr-defined]
    words, (said, rate) = prompt_samples("hello-en"), read_wav(source.path)
    quiet = np.zeros(0 if names_marks else round(PAUSES_WITHIN_S * rate), np.int16)
    assert np.array_equal(said, np.concatenate([words, quiet]))
    assert names_marks or source.path.parent == context.evidence.directory


# -- The next case begins when an AI that was down can get nothing of this one's any more (Timer B: RFC 3261 section 17.1.1.2)


@pytest.mark.parametrize(
    ("transport", "shared", "came", "refused", "until"),
    [
        ("udp", False, [(5.0, CALLER)], 1, 5.0),
        ("udp", False, [], 0, 32.0),
        (
            "udp",
            True,
            [(5.0, STRANGER), (6.0, CALLER)],
            2,
            6.0,
        ),  # a stranger's call is not what is waited for
        ("tcp", False, [(5.0, CALLER)], 0, 0.0),  # over a connection nothing is sent again
    ],
)
def test_what_the_platform_still_sends_to_an_ai_that_was_down_is_refused(
    make_context: MakeContext,
    clock: Clock,
    transport: str,
    shared: bool,
    came: list[tuple[float, str]],
    refused: int,
    until: float,
) -> None:
    context = make_context("TD-FALLBACK-DOWN", "stand-in", clock=clock)
    context.__dict__["trunk"] = context.trunk.model_copy(update={"transport": transport})
    context.calls.own.append(Call(context, leg(), "caller", CALLER))
    began, phone = clock.now, ScriptedPhone("stand-in")
    phone.is_ours = context.phones.may_be_ours if shared else phone.is_ours
    left = list(came)

    def next_call(within: float) -> Any:
        assert phone.policy == Reject(480)  # type: ignore[attr-defined]
        if not left or began + left[0][0] > clock.now + within:
            clock.now += within
            raise never_came("a call", within, "stand-in", "none", "")
        after, shown = left.pop(0)
        clock.now = began + after
        return phone.rings(shown, at=clock.now)

    phone.next_call = next_call  # type: ignore[method-assign]
    taken: Any = phone
    ai: Any = Ai(context)
    ai._take = lambda **_: StandInEndpoint(context, taken, context.trunk)
    context.phones.leave = lambda phone: None  # type: ignore[method-assign]
    ai.take_place()
    line: Any = SimpleNamespace(entry=SimpleNamespace(reachable=True))
    ai.goes_down(line)
    for wait in context.outlasted:
        wait()
    assert len(came) - len(left) == refused
    assert clock.now - began == pytest.approx(until)
