"""Transferred calls: the leg that a call has become, the outcome in the record, and agents called in vain."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import CallState, LegStarted, MarkHeard
from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Group as GroupEntry
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame, never_came
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext
from harness.scenario.people import Group
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import MakeContext


def leg(name: str, *states: str, successor: Any = None) -> Any:
    events = [CallState(at=float(at), phone="caller", leg=name, state=state) for at, state in enumerate(states)]  # type: ignore[arg-type]
    return SimpleNamespace(id=name, events=events, state=states[-1], successor=successor)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("calling", "confirmed"), ("calling", "disconnected"), "caller.2"),  # the agent has a call: busy
        (("calling", "confirmed"), ("calling", "early"), "caller.2"),
        (("calling", "disconnected"), ("calling", "early"), "caller.3"),
        (("calling", "disconnected"), ("calling", "confirmed"), "caller.3"),
        (("calling", "disconnected"), ("calling", "disconnected"), "caller.1"),
        (("calling", "confirmed"), ("calling", "confirmed"), "caller.3"),
        (("calling", "confirmed", "disconnected"), ("calling", "disconnected"), "caller.2"),
        (("calling", "confirmed", "disconnected"), ("calling", "early"), "caller.3"),
    ],
)
def test_of_two_transfers_the_one_that_came_to_something_counts(
    first: tuple[str, ...], second: tuple[str, ...], expected: str
) -> None:
    """An AI may ask twice for the same: two REFERs in one call (RFC 3515 section 2.4.6), the second while the first is carried out."""
    phone: Any = SimpleNamespace(changed=threading.Condition())
    legs: list[Leg] = []
    for number, states in enumerate((("calling", "confirmed"), first, second), start=1):
        about: dict[str, Any] = {"phone": "caller", "leg": f"caller.{number}"}
        began = LegStarted(at=1.0, direction="outgoing", mark=number, remote_uri="", **about)
        legs.append(Leg(phone, number, began, legs[0] if legs else None))
        for state in states:
            legs[-1].take(CallState(at=2.0, state=state, **about))  # type: ignore[arg-type]
    legs[0].succeed(legs[1])
    legs[0].succeed(legs[2])
    assert Call(SimpleNamespace(), legs[0], "caller").leg.id == expected  # type: ignore[arg-type]


OWN_MARKS, AGENT, FOREIGN = (1, 2, 3), 8, 99


def transferred(context: CaseContext) -> list[Any]:
    """The legs of a caller whose call was passed on twice; each heard the agent, and has lost nothing."""
    legs: list[Any] = []
    for number, mark in reversed(list(enumerate(OWN_MARKS, start=1))):
        made = leg(f"caller.{number}", "calling", "confirmed", successor=legs[0] if legs else None)
        made.mark, made.direction, made.messages, made.phone = mark, "outgoing", [], SimpleNamespace(name="caller")
        made.lost = 0
        made.statistics = lambda made=made: counted(450, made.lost)
        hears(made, AGENT)
        legs.insert(0, made)
    context.calls.add(Call(context, legs[0], "caller"))
    agent = leg("agent.1", "incoming", "confirmed")
    agent.mark, agent.direction, agent.messages, agent.statistics = AGENT, "incoming", [], lambda: None
    context.calls.add(Call(context, agent, "agent", peer=context.calls.own[0]))
    process = SimpleNamespace(pid=1)
    phone: Any = SimpleNamespace(process=process, fault=lambda: None, declined=None, legs=legs, incoming=[])
    context.phones._phones["caller"] = phone
    return legs


def hears(of: Any, *marks: int) -> None:
    told: dict[str, Any] = {"phone": "caller", "leg": of.id, "began": 1.0, "level_dbov": -15.0, "quality": 1.0}
    of.events += [MarkHeard(at=2.0, mark=mark, **told) for mark in marks for _ in range(2)]


def failed(context: CaseContext) -> list[tuple[str, str]]:
    conclude(context, probe=False)
    return [(f.check, f.subject) for f in context.evidence.findings if f.verdict is Verdict.FAILED]


@pytest.mark.parametrize("wrong", [0, 1, 2])
@pytest.mark.parametrize(
    ("mark", "lost", "check"),
    [
        (FOREIGN, 0, "audio.crossed"),
        (OWN_MARKS[0], 0, "audio.echo"),
        (OWN_MARKS[2], 0, "audio.echo"),
        (AGENT, 150, "audio.loss"),
    ],
)
def test_what_was_wrong_with_one_of_its_legs_is_found(
    make_context: MakeContext, wrong: int, mark: int, lost: int, check: str
) -> None:
    context = make_context()
    legs = transferred(context)
    hears(legs[wrong], mark)
    legs[wrong].lost = lost
    assert failed(context) == [(check, f"caller.{wrong + 1}")]


# -- What became of a transfer, as the AI's record tells it


# -- A call that comes to an agent's phone where nobody can take it, or could only before it was looked for, has not landed


OF: Any = SimpleNamespace(is_over=lambda: False)


@pytest.mark.parametrize("called", ["ben", "anna"])
def test_who_is_away_or_is_offered_no_call_has_not_got_it(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, called: str
) -> None:
    """Ben is away; and Anna's phone refuses a session interval that is too small (RFC 4028 section 6), and is not asked again."""
    context = make_context()
    entry = GroupEntry(did="+13125550142", agents=("anna", "ben"), away=("ben",))
    context.deployment = context.deployment.model_copy(update={"groups": {"billing": entry}})
    monkeypatch.setattr(context.phones, "rang", lambda: [called])

    def never(*_: Any, **__: Any) -> None:
        raise never_came("a call at anna", 0.0, "anna", "it never came", "")

    monkeypatch.setattr(context.phones, "first_incoming", never)
    anna: Any = SimpleNamespace(name="anna", incoming=[])
    with pytest.raises(ExpectationError) as ended:
        Group(context, "billing", entry, [anna]).expect_call(OF)
    found = ended.value.finding
    assert found.verdict is Verdict.FAILED
    assert found.actual == f"it landed nowhere; {called} got an INVITE, but could not take the call"
    assert context.evidence.conclusion.verdict is Verdict.FAILED


def at(name: str, *states: str) -> Any:
    """A phone to which calls came that are in these states by now, and nobody has taken yet."""
    legs = [SimpleNamespace(id=f"{name}.{number}", state=state) for number, state in enumerate(states, start=1)]

    def expect_call(within: float, answer: bool) -> Any:
        if not legs:
            raise never_came(f"a call at {name}", within, name, "nothing", "")
        return legs.pop(0)

    return SimpleNamespace(name=name, expect_call=expect_call)


@pytest.mark.parametrize(
    ("anna", "ben", "found"),
    [
        (("disconnected",), ("early",), "ben.1"),  # the next in turn
        (("disconnected", "disconnected", "early"), (), "anna.3"),  # she is rung again
        (("early",), ("disconnected",), "anna.1"),
        (("disconnected",), ("disconnected",), None),
    ],
)
def test_a_ring_that_was_over_before_it_was_looked_for_is_not_the_one_that_is_answered(
    make_context: MakeContext, anna: tuple[str, ...], ben: tuple[str, ...], found: str | None
) -> None:
    """A caller may still be answering what the AI asks while a queue rings one agent after the other."""
    phones, numbers = make_context().phones, set[str | None]()
    both = [at("anna", *anna), at("ben", *ben)]
    if found is not None:
        assert phones.first_incoming(both, 5.0, lambda: False, numbers).id == found
    else:
        with pytest.raises(NeverCame):
            phones.first_incoming(both, 5.0, lambda: True, numbers)
