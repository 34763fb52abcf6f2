"""Facts on the registration: what was asked, as whom, and what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of


def registers(code: int, reason: str = "", *, check: str = "registration", **changes: Any) -> Example:
    return Example(row="TD-REGISTER-OK", **changes).finding(check, "Synthflow's number", code=code, reason=reason)


@pytest.mark.parametrize("check", ["registration", "registration.refused"])
@pytest.mark.parametrize(
    ("code", "reason", "answer"),
    [
        (0, "", "none"),
        (408, "Request Timeout", "none"),
        (503, "", "503 or none"),
        (503, "Maintenance", 503),
        (503, "connection reset by peer", "connection refused"),
        (503, "Operation timed out (PJ_ETIMEDOUT)", "none"),
        (504, "upstream connection timed out", 504),
        (502, "connection reset by peer", 502),
        (504, "", 504),
        (407, "x", 407),
        (409, "x", 409),
    ],
)
def test_the_final_answer_to_register(check: str, code: int, reason: str, answer: object) -> None:
    assert facts_of(registers(code, reason, check=check)).value("registration.answer") == answer


@pytest.mark.parametrize(
    ("said", "target", "user"),
    [
        ({}, "the Termination URI", "the trunk's"),
        ({"termination_uri": "203.0.113.9"}, "another host", "the trunk's"),
        ({"username": "x"}, "the Termination URI", "another"),
        ({"termination_uri": None, "username": None}, None, None),
    ],
)
def test_what_synthflow_says_of_its_number(said: dict[str, Any], target: str | None, user: str | None) -> None:
    example = registers(403, authentication="digest").sip_number(**said)
    facts = facts_of(example)
    assert facts.value("registration.target") == target
    assert facts.value("registration.user") == user
    without = facts_of(example, has_deployment=False)
    assert (without.value("registration.target"), without.value("registration.user")) == (None, None)
