"""Digits that prove DTMF have no other meaning to the AI."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import IDLE, Deployment, Escalation, Handover
from harness.deployment.file import load
from harness.integrations.matrix import cases, left_out
from harness.support.resources import EXAMPLES

KEYS = "0123456789*#ABCD"
FILE = EXAMPLES / "simulated-talkdesk.toml"


@pytest.fixture(scope="module")
def talkdesk() -> Deployment:
    return load(FILE)


@pytest.mark.parametrize("digit", KEYS)
def test_none_of_them_asks_for_a_person_ends_the_call_or_asks_for_digits(talkdesk: Deployment, digit: str) -> None:
    for goodbye, back in itertools.permutations(KEYS.replace(digit, ""), 2):
        asked = Escalation(digit=digit, goodbye_digit=goodbye, digits_back_digit=back, digits_back="159D")
        idle = talkdesk.model_copy(update={"escalation": asked}).idle_digits("main")
        assert not {digit, goodbye, back} & set(idle)
        assert len(set(idle)) == len(idle) == IDLE


@given(keys=st.permutations(KEYS), taken=st.integers(0, 13))
def test_nor_for_one_of_several_handovers(talkdesk: Deployment, keys: list[str], taken: int) -> None:
    goodbye, back, *rest = keys
    handovers = {f"to {k}": Handover(transfer="cold", transfer_to="billing", digit=k) for k in rest[:taken]}
    asked = Escalation(digit=None, goodbye_digit=goodbye, digits_back_digit=back, digits_back="159D")
    main = talkdesk.assistants["main"].model_copy(update={"handovers": handovers})
    changed = talkdesk.model_copy(
        update={"escalation": asked, "assistants": {"main": main}, "lines": {"inbound": talkdesk.lines["inbound"]}}
    )
    idle = changed.idle_digits("main")
    assert not {goodbye, back, *rest[:taken]} & set(idle)
    assert len(set(idle)) == len(idle) == min(IDLE, 14 - taken)
    rows = {case.row.id for case in cases([changed])}
    assert ("DTMF-INFO" in rows) == (len(idle) == IDLE)
    assert [left.why for left in left_out(changed) if left.row == "DTMF-INFO"] == (
        [] if len(idle) == IDLE else ["fewer than 5 digits mean nothing to the AI"]
    )
