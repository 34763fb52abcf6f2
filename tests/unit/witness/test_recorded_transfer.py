"""What a record says of a transfer: as Synthflow documents it, as real records have it, and as far
ends of another make tell it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.diagnosis.scene import number_in
from harness.witness.call_record import CallRecord, actions_of
from harness.witness.recorded_transfer import outcome_told, recorded_target, transfers_among

NUMBER = "+18155550191"


def action(status: str | None = None, reason: str | None = None, **set_up: Any) -> dict[str, Any]:
    """As https://docs.synthflow.ai/transfer-outcome-states has it."""
    told = {"status": status, "failed_reason": reason}
    return {
        "name": "action_transfer_call",
        "action_type": "transfer_call_action_type",
        "description": "",
        "error_message": None,
        "parameters_hard_coded": set_up,
        "return_value": {name: value for name, value in told.items() if value is not None},
    }


def as_text(plain: dict[str, Any]) -> dict[str, Any]:
    """The same with its tables as text, as real records have them."""
    return {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in plain.items()
    }


@pytest.mark.parametrize("spelled", [dict, as_text], ids=["a table", "JSON as text"])
@pytest.mark.parametrize(
    ("status", "reason", "outcome", "code"),
    [
        ("transfer-success", None, 200, 200),
        ("transfer-failed-connection-error", "number_not_found", "transfer-failed-connection-error (number_not_found)", 404),
        ("transfer-failed-connection-error", "a new reason", "transfer-failed-connection-error (a new reason)", None),
        ("transfer-failed-timeout", None, "transfer-failed-timeout", None),
        ("started", None, None, None),
        (None, None, None, None),
    ],
)  # fmt: skip
def test_what_became_of_a_transfer(
    spelled: Any,
    status: str | None,
    reason: str | None,
    outcome: int | str | None,
    code: int | None,
) -> None:
    plain = {"executed_actions": {"action_transfer_call": spelled(action(status, reason))}}
    (transfer,) = transfers_among(actions_of(plain))
    assert outcome_told(transfer) == outcome
    assert transfer.get("status_code") == code


@pytest.mark.parametrize("spelled", [dict, as_text], ids=["a table", "JSON as text"])
@pytest.mark.parametrize(
    ("set_up", "to", "way"),
    [
        ({"phone": NUMBER, "transfer_mode": "cold_transfer"}, NUMBER, "cold"),
        ({"phone": f"sip:{NUMBER}@p.example", "transfer_mode": "warm_transfer_with_context"}, f"sip:{NUMBER}@p.example", "warm"),
        ({"phone": "{results.phone}", "transfer_mode": "a new one"}, None, None),
        ({"phone": "<desk>"}, None, None),
        ({"phone": "+1815*****91"}, None, None),  # as some accounts hide digits, or put a word in their place
        ({"phone": "[REDACTED]", "transfer_mode": "cold_transfer"}, None, "cold"),
        ({"phone": 18155550191}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_whom_it_leads_to(
    spelled: Any, set_up: dict[str, Any], to: str | None, way: str | None
) -> None:
    (transfer,) = transfers_among([spelled(action("transfer-success", **set_up))])
    assert (transfer.get("to"), transfer.get("type")) == (to, way)


@pytest.mark.parametrize("value", ["{not JSON", "[" * 100_000, "7", None, []])
def test_what_is_no_table_says_nothing(value: Any) -> None:
    told = action() | {"parameters_hard_coded": value, "return_value": value}
    (transfer,) = transfers_among([told])
    assert transfer == told
    assert outcome_told(transfer) is None


@pytest.mark.parametrize(
    "spelled",
    [
        NUMBER,
        "+1 (815) 555-0191",
        f"{NUMBER}@acme.sip.gladly.example;transport=tls",  # as Gladly's guide has it
        f"{NUMBER}@acme.sip.gladly.example:5061;transport=tls",
        f"SIPS:{NUMBER}@acme.sip.gladly.example",
        f"tel:{NUMBER}",
    ],
)
def test_a_number_is_read_however_the_target_is_written(spelled: str) -> None:
    assert number_in(recorded_target(spelled)) == NUMBER


@pytest.mark.parametrize(
    ("spelled", "user"),
    [("billing", "billing"), ("1001", "1001"), ("billing@p.example:5061", "billing")],
)
def test_a_target_that_is_no_telephone_number_is_a_user(spelled: str, user: str) -> None:
    assert number_in(recorded_target(spelled)) == user


def test_an_extractor_is_no_transfer() -> None:
    """Of real records, with its name."""
    extractor = {
        "name": "extract_info_transfer_reason",
        "action_type": "extract_info_action_type",
        "parameters_hard_coded": '{"identifier": "transfer_reason"}',
        "return_value": '{"transfer_reason": "transfer-failed"}',
        "return_value_status": "",
        "timestamp": "1761474849.6389399",
    }
    record = CallRecord("c1", {"executed_actions": {"extract_info_transfer_reason": extractor}})
    assert transfers_among(record.actions) == []
