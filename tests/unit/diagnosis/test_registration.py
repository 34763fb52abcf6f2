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
    ("granted", "asked", "value"),
    [
        (59, 60, "shorter"),
        (60, 60, "as asked"),
        (61, 60, "as asked"),
        (0, 60, None),
        (None, 60, None),
        (60, None, None),
    ],
)
def test_the_interval_that_was_granted(granted: int | None, asked: int | None, value: str | None) -> None:
    what: dict[str, Any] = {"what": "the registration is refreshed", "granted_s": granted, "asked_s": asked}
    facts = facts_of(Example(row="TD-REGISTER-OK").finding("timing.within", "Synthflow's number", **what))
    assert facts.value("registration.granted") == value
    assert facts.value("registration.lapsed") is True
    passed = facts_of(Example(row="TD-REGISTER-OK").finding("timing.within", "Synthflow's number", True, **what))
    assert passed.value("registration.lapsed") is False
    what["what"] = "the call"
    assert "registration.lapsed" not in facts_of(Example().finding("timing.within", "Synthflow's number", **what))


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


@pytest.mark.parametrize(
    ("codes", "challenged"),
    [
        ([401, 403], True),
        ([407], True),
        ([403], False),
        ([400], False),
        ([408], False),
        ([402], False),
        ([100], None),
        ([199], None),
        ([200], False),
        ([], None),
    ],
)
def test_whether_register_was_challenged(codes: list[int], challenged: bool | None) -> None:
    example = registers(403)
    for code in codes:
        example._sip("received", f"SIP/2.0 {code} x", "REGISTER")
    assert facts_of(example).value("registration.challenged") is challenged
    other = registers(403)
    for code in codes:
        other._sip("sent", f"SIP/2.0 {code} x", "REGISTER")
    assert facts_of(other).value("registration.challenged") is None


@pytest.mark.parametrize("header", ["Authorization", "Proxy_Authorization"])
def test_the_user_name_in_the_register_s_credentials(header: str) -> None:
    def user(method: str, direction: str, value: str) -> object:
        example = registers(403, authentication="digest")
        example._sip(direction, f"{method} sip:x SIP/2.0", method, **{header: value})
        return facts_of(example).value("registration.user")

    right = f'Digest username="{registers(403, authentication="digest").trunk.username}", response="x"'
    assert user("REGISTER", "sent", right) == "the trunk's"
    assert user("REGISTER", "sent", 'Digest username="", response="x"') == "another"
    assert user("REGISTER", "sent", "Digest response=x") is None
    assert user("REGISTER", "received", right) is None
    assert user("OPTIONS", "sent", right) is None


OWN_503 = "End of file (PJ_EEOF)"


@pytest.mark.parametrize(
    ("received", "reason", "answer"),
    [
        (503, "Upstream unreachable", 503),  # a registrar's own words
        (503, "", 503),
        (503, OWN_503, 503),
        (401, OWN_503, "connection refused"),
        (401, "Service Unavailable", "none"),  # pjsip's own phrase for a transport error
        (None, "Service Unavailable", "none"),
    ],
)
def test_a_503_that_was_received_is_the_registrars(received: int | None, reason: str, answer: object) -> None:
    example = registers(503, reason, ai="stand-in", transport="tcp")
    example._sip("sent", "REGISTER sip:x SIP/2.0", "REGISTER")
    if received:
        example._sip("received", f"SIP/2.0 {received} {reason}", "REGISTER")
    assert facts_of(example).value("registration.answer") == answer
