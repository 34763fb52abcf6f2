"""Transferred calls: the leg that a call has become, the outcome in the record, and rings that are
over.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import LegStarted
from harness.deployment import Synthflow
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.scenario.call import Call
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import CALLER, ScriptedPhone, states
from tests.unit.scenario.synthflow_api import Failing, Place, call, record


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("calling", "confirmed", "disconnected"), (), "caller.2"),
        (
            ("calling", "disconnected"),
            (),
            "caller.1",
        ),  # RFC 5589 section 6.2: the first call goes on
        (("calling", "confirmed"), ("calling", "early"), "caller.2"),
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
    for number, named in enumerate(
        filter(None, (("calling", "confirmed"), first, second)), start=1
    ):
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
    talk = Place(make_context, api, witness=witness).endpoint.expect_call(
        call(), "main", within=0.0
    )
    assert talk is not None
    assert talk.transfer_outcome(0.0) == outcome


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
    """A caller may still be answering what the AI asks while a queue rings one agent after the
    other.
    """
    both: list[Any] = [ScriptedPhone("anna"), ScriptedPhone("ben")]
    for phone, named in zip(both, (anna, ben), strict=True):
        for state in named:
            phone.rings(CALLER, state)
    phones = make_context(synthflow=Synthflow()).phones
    try:
        assert phones.first_incoming(both, 5.0, lambda: found is None, set()).id == found
    except NeverCame:
        assert found is None
