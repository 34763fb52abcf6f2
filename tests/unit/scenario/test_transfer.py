"""Transferred calls: the leg that a call has become, the outcome in the record, and agents called in vain."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import LegStarted, MarkHeard
from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Group as GroupEntry
from harness.deployment import Synthflow
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude
from harness.scenario.people import Group
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import CALLER, ScriptedPhone, leg, states
from tests.unit.scenario.synthflow_api import Failing, Place, call, record


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("calling",), (), "caller.2"),
        (("calling", "confirmed", "disconnected"), (), "caller.2"),
        (("calling", "disconnected"), (), "caller.1"),  # RFC 5589 section 6.2: the first call goes on
        (("calling", "early", "disconnected"), (), "caller.1"),
        (("calling", "confirmed"), ("calling", "disconnected"), "caller.2"),  # the agent has a call: busy
        (("calling", "confirmed"), ("calling", "early"), "caller.2"),
        (("calling", "disconnected"), ("calling", "confirmed"), "caller.3"),
        (("calling", "disconnected"), ("calling", "disconnected"), "caller.1"),
        (("calling", "confirmed"), ("calling", "confirmed"), "caller.3"),
    ],
)
def test_a_call_is_the_leg_of_its_last_transfer_that_succeeded(
    first: tuple[str, ...], second: tuple[str, ...], expected: str
) -> None:
    """An AI may send a second REFER while the first is carried out (RFC 3515 section 2.4.6)."""
    phone: Any = SimpleNamespace(changed=threading.Condition())
    legs: list[Leg] = []
    for number, named in enumerate(filter(None, (("calling", "confirmed"), first, second)), start=1):
        about: dict[str, Any] = {"phone": "caller", "leg": f"caller.{number}"}
        began = LegStarted(at=1.0, direction="outgoing", mark=number, remote_uri="", **about)
        legs.append(Leg(phone, number, began, legs[0] if legs else None))
        for state in states(*named, leg=f"caller.{number}"):
            legs[-1].take(state)
    for successor in legs[1:]:
        legs[0].succeed(successor)
    context: Any = SimpleNamespace()
    assert Call(context, legs[0], "caller").leg.id == expected


OWN_MARKS, AGENT, FOREIGN = (1, 2, 3), 8, 99


@pytest.mark.parametrize("wrong", [0, 1, 2])
@pytest.mark.parametrize(
    ("mark", "lost", "check"),
    [
        (AGENT, 0, None),
        (FOREIGN, 0, "audio.crossed"),
        (OWN_MARKS[0], 0, "audio.echo"),
        (OWN_MARKS[2], 0, "audio.echo"),
        (AGENT, 150, "audio.loss"),
    ],
)
def test_each_leg_of_a_transferred_call_is_checked_by_itself(
    make_context: MakeContext, wrong: int, mark: int, lost: int, check: str | None
) -> None:
    context, legs = make_context(), []
    for number, own in enumerate(OWN_MARKS):
        about: Any = {"phone": "caller", "leg": "x", "began": 1.0, "level_dbov": -15.0, "quality": 1.0}
        marks = [MarkHeard(at=2.0, mark=each, **about) for each in (AGENT, AGENT, *[mark] * 2 * (number == wrong))]
        legs.append(leg(*states("calling", "confirmed"), *marks, name=f"caller.{number + 1}", mark=own))
        legs[-1].counted = counted(450, lost * (number == wrong))
    legs[0].successor, legs[1].successor = legs[1], legs[2]
    caller = context.calls.add(Call(context, legs[0], "caller"))
    agent = leg(*states("incoming", "confirmed"), name="agent.1", mark=AGENT, direction="incoming")
    context.calls.add(Call(context, agent, "agent", peer=caller))
    conclude(context, probe=False)
    failed = [(f.check, f.subject) for f in context.evidence.findings if f.verdict is Verdict.FAILED]
    assert failed == ([(check, f"caller.{wrong + 1}")] if check else [])


TRANSFER = {"name": "to_billing", "action_type": "transfer_call_action_type", "status_code": 486}
LOOK_UP = {"name": "log_transfer", "action_type": "CUSTOM_ACTION", "status_code": 200}


@pytest.mark.parametrize(
    ("witness", "actions", "outcome"),
    [
        (("record",), [TRANSFER, LOOK_UP], 486),
        (("record",), [LOOK_UP], None),  # a bare record need not list the transfer
        (("record", "marks"), [LOOK_UP], 0),
    ],
)
def test_a_transfer_s_outcome_is_read_from_the_record(
    make_context: MakeContext, witness: tuple[Any, ...], actions: list[Any], outcome: int | None
) -> None:
    api: Any = Failing(record(executed_actions=actions))
    talk = Place(make_context, api, witness=witness).endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.transfer_outcome(0.0) == outcome


@pytest.mark.parametrize("called", ["ben", "anna"])
def test_a_call_that_no_agent_could_take_has_not_landed(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, called: str
) -> None:
    """Ben is away; Anna's phone refuses a session interval that is too small (RFC 4028 section 6), and is not asked again."""
    context = make_context()
    entry = GroupEntry(did="+13125550142", agents=("anna", "ben"), away=("ben",))
    context.deployment = context.deployment.model_copy(update={"groups": {"billing": entry}})
    monkeypatch.setattr(context.phones, "rang", lambda: [called])
    of: Any = SimpleNamespace(is_over=lambda: True)
    anna: Any = ScriptedPhone("anna")
    with pytest.raises(ExpectationError) as ended:
        Group(context, "billing", entry, [anna]).expect_call(of)
    assert ended.value.finding.actual == f"it landed nowhere; {called} got an INVITE, but could not take the call"
    assert context.evidence.conclusion.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("anna", "ben", "found"),
    [
        (("disconnected",), ("early",), "ben.1"),  # the next in turn
        (("disconnected", "disconnected", "early"), (), "anna.3"),  # she is rung again
        (("early",), ("disconnected",), "anna.1"),
        (("disconnected",), ("disconnected",), None),
    ],
)
def test_a_ring_that_is_over_is_not_answered(
    make_context: MakeContext, anna: tuple[str, ...], ben: tuple[str, ...], found: str | None
) -> None:
    """A caller may still be answering what the AI asks while a queue rings one agent after the other."""
    both: list[Any] = [ScriptedPhone("anna"), ScriptedPhone("ben")]
    for phone, named in zip(both, (anna, ben), strict=True):
        for state in named:
            phone.rings(CALLER, state)
    phones = make_context(synthflow=Synthflow()).phones
    try:
        assert phones.first_incoming(both, 5.0, lambda: found is None, set()).id == found
    except NeverCame:
        assert found is None
