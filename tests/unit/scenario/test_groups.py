"""Ring groups: several agents at once, agents in turns, groups that strangers call, and each telephone watched once."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.events import CallState, Listened
from harness.calls.verdict import Finding, Verdict
from harness.deployment import Group as GroupEntry
from harness.phone.leg import accept_every_leg
from harness.phone.waiter import never_came
from harness.scenario import people
from harness.scenario.call import Call
from harness.scenario.cast import Cast
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from harness.scenario.people import Group
from tests.unit.clock import Clock
from tests.unit.phone_events import sip_message
from tests.unit.scenario.conftest import MakeContext

CALLER, ANOTHER = "+14155550101", "+14155550199"
AGENTS = ("Zoë", "tier-2 desk", "Ağ")


def leg(agent: str, *states: str, began: float, shown: str = CALLER) -> Any:
    """A call that came to an agent's phone, with the states it was in at so many tenths of a second."""
    text = (
        f"INVITE sip:{len(agent)}@agents.example SIP/2.0\r\nFrom: <sip:{shown}@acme.example>;tag=a\r\n"
        f"To: <sip:1@agents.example>\r\nCall-ID: {agent}\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    events = [CallState(at=began + at / 10, phone=agent, leg=f"{agent}.1", state=s) for at, s in enumerate(states)]  # type: ignore[arg-type]
    invite = sip_message("received", text, at=began, leg=f"{agent}.1")
    made = SimpleNamespace(
        id=f"{agent}.1", phone=SimpleNamespace(name=agent), direction="incoming", successor=None, mark=1
    )
    made.events, made.messages, made.invite, made.state = events, [invite], invite, states[-1]
    made.answer, made.statistics, made.hangup = lambda: None, lambda: None, lambda: None
    made.received_since = lambda since: []

    def wait(goal: str, predicate: Any, within: float, **_: Any) -> Any:
        for event in made.events:
            if predicate(event):
                return event
        raise never_came(goal, within, agent, "nothing", "")

    made.wait = wait
    made.wait_state = lambda state, within: wait(state, lambda e: e.state == state, within)
    return made


def answered(at: float = 0.0) -> Any:
    """A caller whose call was answered then."""
    return SimpleNamespace(is_over=lambda: False, obeyed=lambda at: None, answered_at=lambda: at)


class Phones:
    """Agents at their phones, with the calls that have come to them."""

    def __init__(self, context: CaseContext) -> None:
        self.context = context
        self.by_agent = {
            agent: SimpleNamespace(name=agent, incoming=[], legs=[], is_ours=accept_every_leg) for agent in AGENTS
        }
        context.deployment = context.deployment.model_copy(
            update={"phones": dict.fromkeys(AGENTS, next(iter(context.deployment.phones.values())))}
        )

    def rings(self, agent: str, *states: str, began: float, shown: str = CALLER) -> None:
        came = leg(agent, *states, began=began, shown=shown)
        came.phone = self.by_agent[agent]
        came.phone.incoming.append(came)

    def take(self, monkeypatch: pytest.MonkeyPatch, caller: Any = None) -> Call:
        """The first agent has the call."""
        phones: Any = list(self.by_agent.values())
        first = phones[0].incoming[0]
        monkeypatch.setattr(self.context.phones, "first_incoming", lambda *_, **__: first)
        group = Group(self.context, "Größe L", GroupEntry(did="+13125550142", agents=AGENTS), phones)
        taken = group.expect_call(caller or answered())
        assert isinstance(taken, Call)
        return taken


class Whispering(Clock):
    """While somebody waits, the platform speaks to the agent, until ``until``."""

    events: list[Any]
    until: float

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if self.now <= self.until:
            self.events.append(Listened(at=self.now, phone="", leg="", seconds=self.now - 100.0, level_dbov=-20.0))


def found(context: CaseContext, check: str) -> dict[str, Verdict]:
    findings: list[Finding] = [one for one in context.evidence.findings if one.check == check]
    return {one.subject: one.verdict for one in findings}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(shown=st.lists(st.sampled_from([CALLER, ANOTHER]), min_size=3, max_size=3))
def test_each_agent_who_rings_is_shown_the_caller(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, shown: list[str]
) -> None:
    context = make_context()
    phones = Phones(context)
    for agent, number in zip(AGENTS, shown, strict=True):
        states = ("confirmed",) if agent == AGENTS[0] else ("incoming", "disconnected")
        phones.rings(agent, *states, began=time.monotonic(), shown=number)
    Expect(context, phones.take(monkeypatch)).caller_id(CALLER)
    assert found(context, "caller_id") == {
        f"{agent}.1": Verdict.PASSED if number == CALLER else Verdict.FAILED
        for agent, number in zip(AGENTS, shown, strict=True)
    }


@pytest.mark.parametrize(
    ("told_s", "answered_s", "waits_s"),
    [
        (0.0, 0.0, 0.0),
        (0.0, 0.3, 0.3),
        (6.2, 6.4, 6.4),
        (6.2, 99.0, 7.2),  # nobody answers the caller behind it either
        (0.0, 99.0, 1.0),
        (30.0, 99.0, 10.0),
    ],
)
def test_a_caller_who_is_answered_behind_a_whisper_has_until_then(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, told_s: float, answered_s: float, waits_s: float
) -> None:
    """FreeSWITCH answers its caller when it connects the agent, behind what it says to the agent first."""
    clock = Whispering(100.0)
    phones = Phones(make_context(clock=clock))
    phones.rings(AGENTS[0], "confirmed", began=100.0)
    clock.events, clock.until = phones.by_agent[AGENTS[0]].incoming[0].events, 100.0 + told_s
    caller = answered()
    caller.answered_at = lambda: 100.0 + answered_s if clock.now >= 100.0 + answered_s else None
    phones.take(monkeypatch, caller)
    assert clock.now - 100.0 == pytest.approx(waits_s, abs=0.11)


@pytest.mark.parametrize(
    ("states", "late_s", "expected"),
    [
        (("incoming", "disconnected"), 0.3, {AGENTS[1]: Verdict.PASSED}),  # a CANCEL that was already on its way
        (("incoming", "early"), 0.3, {AGENTS[1]: Verdict.FAILED}),
        (("incoming", "early"), 4.0, {AGENTS[1]: Verdict.FAILED}),  # the next batch, though the call was taken
        (
            ("incoming", *["early"] * 30, "disconnected"),
            0.3,
            {AGENTS[1]: Verdict.FAILED},
        ),  # for 3 s, and all for nothing
        ((), 0.0, {}),
    ],
)
def test_an_agent_who_begins_to_ring_when_another_has_the_call_stops(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    states: tuple[str, ...],
    late_s: float,
    expected: dict[str, Verdict],
) -> None:
    context = make_context()
    phones = Phones(context)
    phones.rings(AGENTS[0], "confirmed", began=time.monotonic() - 10.0)
    phones.take(monkeypatch)
    assert found(context, "landing.stops") == {}, "nobody else rings yet"
    if states:
        phones.rings(AGENTS[1], *states, began=time.monotonic() - 10.0 + late_s)
    conclude(context, probe=False)
    assert found(context, "landing.stops") == expected


@pytest.mark.parametrize("accept", [None, "5"])
def test_an_agent_s_telephone_that_asks_for_a_digit_is_given_it_and_has_the_call_from_then_on(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, accept: str | None
) -> None:
    monkeypatch.setattr(people, "wait_for_pause", lambda leg: True)
    context = make_context()
    phones = Phones(context)
    entry = next(iter(context.deployment.phones.values())).model_copy(update={"accept": accept})
    context.deployment = context.deployment.model_copy(update={"phones": dict.fromkeys(AGENTS, entry)})
    began = time.monotonic() - 10.0
    phones.rings(AGENTS[0], "confirmed", began=began)
    pressed: list[str] = []
    phones.by_agent[AGENTS[0]].incoming[0].send_digits = lambda digits, method: pressed.append(digits)
    taken = phones.take(monkeypatch)
    assert pressed == ([accept] if accept else [])
    assert (taken.answered_at() == began) is (accept is None)


def test_two_callers_with_two_agents_are_two_calls(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    context = make_context()
    phones = Phones(context)
    phones.rings(AGENTS[1], "confirmed", began=time.monotonic() - 2.0, shown=ANOTHER)
    context.calls.add(Call(context, phones.by_agent[AGENTS[1]].incoming[0], "agent"))
    phones.rings(AGENTS[0], "confirmed", began=time.monotonic())
    Expect(context, phones.take(monkeypatch)).caller_id(CALLER)
    assert found(context, "landing.stops") == {}
    assert found(context, "caller_id") == {f"{AGENTS[0]}.1": Verdict.PASSED}


@pytest.mark.parametrize("called", ["this", "another"])
@pytest.mark.parametrize("pause_s", [0.0, 60.0])
@pytest.mark.parametrize("apart_s", [0.0, 0.5, 1.5])
def test_a_shared_agent_who_rings_first_does_not_hide_which_group_was_called(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, apart_s: float, pause_s: float, called: str
) -> None:
    """A platform rings no other agent once one has answered, so the agent waits to answer until the group is clear."""
    shared, own, strange = AGENTS
    groups = {
        "Größe L": GroupEntry(did="+13125550142", agents=(shared, own), pause_s=pause_s),
        "Zentrale": GroupEntry(did="+13125550143", agents=(shared, strange), pause_s=pause_s),
    }
    clock = Clock()
    context = make_context(clock=clock, groups=groups)
    phones = Phones(context)
    second = own if called == "this" else strange
    phones.rings(shared, "incoming", "confirmed", began=clock.now)
    answers = answer_times(phones, shared, clock)

    def rang() -> list[str]:
        if not answers and clock.now >= 1000.0 + apart_s and not phones.by_agent[second].incoming:
            phones.rings(second, "incoming", "disconnected", began=clock.now)
        return [name for name, phone in phones.by_agent.items() if phone.incoming]

    monkeypatch.setattr(context.phones, "rang", rang)
    phones.take(monkeypatch)
    assert second in rang(), "the second agent was left to ring"
    waits_s = apart_s if called == "this" else 2.0  # the turn may still bring an agent of this group
    assert answers == [pytest.approx(1000.0 + waits_s, abs=0.06)]
    landed = next(one for one in context.evidence.findings if one.check == "landing")
    assert (strange in str(landed.actual)) is (called == "another")


def answer_times(phones: Phones, agent: str, clock: Clock) -> list[float]:
    """When the agent answered its call, as it happens."""
    answers: list[float] = []
    leg: Any = phones.by_agent[agent].incoming[0]
    leg.answer = lambda: answers.append(clock.now)
    return answers


# -- A group that rings in turns: the first turn is waited for once the caller has waited in the queue


TURNS = ("Ağ", "night-desk", "Øre", "2nd")
OF: Any = SimpleNamespace(is_over=lambda: False)


# -- Groups that strangers call as well: theirs are no calls of a case, and whatever number a handover shows is ours


# -- The groups that a scenario watches: each telephone once, in however many of them its agent is


GROUPS = {"sales": ("ann", "bob"), "service": ("bob", "cid"), "night": ("ann",)}


def cast_of(away: tuple[str, ...] = ()) -> Cast:
    groups = {
        name: SimpleNamespace(
            present=tuple(a for a in agents if a not in away),
            away=tuple(a for a in agents if a in away),
            shared=False,
            address=None,
        )
        for name, agents in GROUPS.items()
    }
    context = SimpleNamespace(deployment=SimpleNamespace(groups=groups), clock=Clock())
    found = Cast(cast("Any", context))
    phones = {agent: SimpleNamespace(name=agent) for agents in GROUPS.values() for agent in agents}
    found._agent = lambda name, **_: cast("Any", phones[name])  # type: ignore[method-assign]
    return found


def named(groups: list[Group]) -> list[tuple[str, list[str]]]:
    return [(group.name, [phone.name for phone in group.phones]) for group in groups]


@pytest.mark.parametrize(
    ("away", "but", "watched"),
    [
        ((), None, [("sales", ["ann", "bob"]), ("service", ["cid"])]),
        ((), "service", [("sales", ["ann"])]),
        ((), "night", [("sales", ["bob"]), ("service", ["cid"])]),
        (("ann",), None, [("sales", ["bob"]), ("service", ["cid"]), ("sales", ["ann"])]),
    ],
)
def test_each_telephone_is_watched_once(
    away: tuple[str, ...], but: str | None, watched: list[tuple[str, list[str]]]
) -> None:
    found = cast_of(away)
    assert named(found.all_groups(but=found.group(but) if but else None)) == watched
