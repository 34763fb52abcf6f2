"""Which leg a call is after its phone followed a REFER, and that the case's last look is at each of them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import CallState, LegStarted, MarkHeard
from harness.calls.verdict import Verdict
from harness.phone.leg import Leg
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import MakeContext


def leg(name: str, *states: str, successor: Any = None) -> Any:
    events = [CallState(at=float(at), phone="caller", leg=name, state=state) for at, state in enumerate(states)]  # type: ignore[arg-type]
    return SimpleNamespace(id=name, events=events, state=states[-1], successor=successor)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("calling",), "caller.2"),
        (("calling", "early", "confirmed"), "caller.2"),
        (("calling", "confirmed", "disconnected"), "caller.2"),
        (("calling", "disconnected"), "caller.1"),  # RFC 5589 section 6.2: the first call goes on
        (("calling", "early", "disconnected"), "caller.1"),
    ],
)
def test_a_transfer_that_failed_leaves_the_call_as_it_was(states: tuple[str, ...], expected: str) -> None:
    first = leg("caller.1", "calling", "confirmed", successor=leg("caller.2", *states))
    assert Call(SimpleNamespace(), first, "caller").leg.id == expected  # type: ignore[arg-type]


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


def test_each_leg_of_a_call_that_was_passed_on_is_looked_at_by_itself(make_context: MakeContext) -> None:
    context = make_context()
    transferred(context)
    assert failed(context) == []
    for check in ("audio.crossed", "audio.loss"):
        looked_at = [f.subject for f in context.evidence.findings if f.check == check]
        assert looked_at == ["caller.1", "caller.2", "caller.3"]


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
