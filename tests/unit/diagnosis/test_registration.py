"""Facts on the registration: what was asked, as whom, and what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.case import Example, facts_of, value


def registers(
    code: int, reason: str = "", *, check: str = "registration", **changes: Any
) -> Example:
    return Example(row="TD-REGISTER-OK", **changes).finding(
        check, "Synthflow's number", code=code, reason=reason
    )


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
        (407, "x", 407),
    ],
)
def test_the_final_answer_to_register(check: str, code: int, reason: str, answer: object) -> None:
    assert value(registers(code, reason, check=check), "registration.answer") == answer


def test_a_phone_reports_that_its_connection_was_refused() -> None:
    example = registers(503, "Service Unavailable", ai="stand-in", transport="tcp")
    example.transport_failed("sip-number", "Connection refused")
    assert value(example, "registration.answer") == "connection refused"


@pytest.mark.parametrize(
    ("received", "reason", "answer"),
    [
        (503, "Upstream unreachable", 503),  # a registrar's own words
        (503, "", 503),
        (401, "End of file (PJ_EEOF)", "connection refused"),
        (None, "Service Unavailable", "none"),  # pjsip's own phrase for a transport error
    ],
)
def test_a_503_that_was_received_is_the_registrars(
    received: int | None, reason: str, answer: object
) -> None:
    example = registers(503, reason, ai="stand-in", transport="tcp")
    example._sip("sent", "REGISTER sip:x SIP/2.0")
    if received:
        example._sip("received", f"SIP/2.0 {received} {reason}", "REGISTER")
    assert value(example, "registration.answer") == answer


@pytest.mark.parametrize(
    ("granted", "asked", "told"),
    [
        (59, 60, "shorter"),
        (60, 60, "as asked"),
        (61, 60, "as asked"),
        (0, 60, None),
        (60, None, None),
    ],
)
def test_the_interval_that_was_granted(granted: int, asked: int | None, told: str | None) -> None:
    what: dict[str, Any] = {
        "what": "the registration is refreshed",
        "granted_s": granted,
        "asked_s": asked,
    }
    facts = facts_of(
        Example(row="TD-REGISTER-OK").finding("timing.within", "Synthflow's number", **what)
    )
    assert (facts.value("registration.granted"), facts.value("registration.lapsed")) == (told, True)
    other = Example().finding("timing.within", "Synthflow's number", **what | {"what": "the call"})
    assert value(other, "registration.lapsed") is None


@pytest.mark.parametrize(
    ("said", "target", "user"),
    [
        ({}, "the Termination URI", "the trunk's"),
        ({"termination_uri": "203.0.113.9"}, "another host", "the trunk's"),
        ({"username": "x"}, "the Termination URI", "another"),
        ({"termination_uri": None, "username": None}, None, None),
    ],
)
def test_what_synthflow_says_of_its_number(
    said: dict[str, Any], target: str | None, user: str | None
) -> None:
    facts = facts_of(registers(403, authentication="digest").sip_number(**said))
    assert (facts.value("registration.target"), facts.value("registration.user")) == (target, user)
