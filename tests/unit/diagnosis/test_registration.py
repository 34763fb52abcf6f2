"""Facts on the registration: what was asked, as whom, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import call, facts_of


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
    ("code", "answer"),
    [(0, "connection refused"), (408, "connection refused"), (503, "connection refused"), (403, 403), (1, 1)],
)
def test_a_refused_connection_explains_only_what_no_server_said(code: int, answer: object) -> None:
    example = registers(code, "x", transport="tcp", ai="stand-in")
    assert facts_of(example.transport_failed("sip-number", "Connection refused")).value("registration.answer") == answer


@pytest.mark.parametrize("reason", ["certificate verify failed", "Operation timed out (PJ_ETIMEDOUT)"])
def test_another_failure_of_the_transport_is_no_refused_connection(reason: str) -> None:
    example = registers(408, "x", transport="tcp", ai="stand-in")
    facts = facts_of(example.transport_failed("sip-number", reason))
    assert facts.value("registration.answer") == "none"


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


def test_a_trunk_without_a_user_name_has_none_to_compare() -> None:
    assert facts_of(registers(403).sip_number(username="x")).value("registration.user") is None


def test_a_stand_in_registers_where_it_is_told() -> None:
    assert facts_of(registers(403, ai="stand-in")).value("registration.target") == "the Termination URI"
    assert facts_of(registers(403)).value("registration.target") is None
    assert facts_of(call(ai="stand-in")).value("registration.target") is None


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


def test_the_first_answer_to_register_is_the_evidence() -> None:
    example = registers(403)
    for code in (401, 403):
        example._sip("received", f"SIP/2.0 {code} x", "REGISTER")
    assert facts_of(example)["registration.challenged"].evidence == ("message 1 of GET /v2/calls/c1",)


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


@pytest.mark.parametrize(
    ("username", "causes"),
    [
        (None, ["password-wrong", "username-wrong"]),
        ("stranger", ["username-wrong"]),
        ("the trunk's", ["password-wrong"]),
    ],
)
def test_a_registrar_that_names_user_and_password_leaves_both(username: str | None, causes: list[str]) -> None:
    example = registers(403, "Unknown user name or bad password", authentication="digest")
    example._sip("received", "SIP/2.0 401 Unauthorized", "REGISTER")
    if username is not None:
        example.sip_number(username=example.trunk.username if username == "the trunk's" else username)
    diagnosis = example.diagnose()
    assert sorted(cause.id for cause in diagnosis.causes) == causes
    assert len(causes) == 1 or {cause.confidence for cause in diagnosis.causes} == {"possible"}


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


def test_who_calls_meanwhile_has_not_answered_the_register() -> None:
    """The challenge did, and nobody the REGISTER with credentials."""
    example = registers(0, ai="stand-in")
    example._sip("received", "SIP/2.0 401 Unauthorized", "REGISTER")
    example._sip("received", "OPTIONS sip:x SIP/2.0", "OPTIONS")
    assert facts_of(example).value("registration.answer") == "none"


def test_a_503_that_was_received_is_not_what_another_connection_failed_of() -> None:
    example = registers(503, "x", ai="stand-in", transport="tcp")
    example._sip("received", "SIP/2.0 503 x", "REGISTER").transport_failed("sip-number", "Connection refused")
    assert facts_of(example).value("registration.answer") == 503


@pytest.mark.parametrize(("received", "answer"), [(408, 408), (100, "none"), (401, "none"), (None, "none")])
def test_a_408_that_was_received_is_the_registrars(received: int | None, answer: object) -> None:
    example = registers(408, "Request Timeout", ai="stand-in")
    example._sip("sent", "REGISTER sip:x SIP/2.0", "REGISTER")
    if received:
        example._sip("received", f"SIP/2.0 {received} x", "REGISTER")
    assert facts_of(example).value("registration.answer") == answer


def test_a_408_that_was_received_is_not_what_another_connection_failed_of() -> None:
    example = registers(408, "x", ai="stand-in", transport="tcp")
    example._sip("received", "SIP/2.0 408 x", "REGISTER").transport_failed("sip-number", "Connection refused")
    assert facts_of(example).value("registration.answer") == 408


def heard(code: int, reason: str) -> Example:
    """A stand-in's REGISTER came back with that."""
    example = registers(code, reason, ai="stand-in")
    example.findings[-1] = replace(example.findings[-1], actual=f"it was answered {code} {reason}")
    example._sip("sent", "REGISTER sip:x SIP/2.0", "REGISTER")
    return example._sip("received", f"SIP/2.0 {code} {reason}", "REGISTER")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (408, "Request Timeout"),
        (500, "Server error occurred (1/SL)"),
        (502, "Bad Gateway"),
        (504, "Server Timeout"),
    ],
)
def test_a_registrar_that_fails_is_a_cause(code: int, reason: str) -> None:
    diagnosis = heard(code, reason).diagnose()
    assert [(cause.id, cause.confidence) for cause in diagnosis.causes] == [("registration-refused", "likely")]
    assert diagnosis.causes[0].owner == "trunk"
    assert any(f"{code} {reason}" in line for line in diagnosis.causes[0].evidence)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        *((302, "Moved Temporarily"), (404, "Not Found"), (405, "Method Not Allowed"), (420, "Bad Extension")),
        *((423, "Interval Too Brief"), (480, "Temporarily Unavailable"), (501, ""), (603, "")),
    ],
)
def test_another_answer_to_register_is_told_as_it_was_seen(code: int, reason: str) -> None:
    diagnosis = heard(code, reason).diagnose()
    assert [(cause.id, cause.confidence) for cause in diagnosis.causes] == [("registration-refused", "likely")]
    assert diagnosis.causes[0].owner == "AI side"
    assert any(f"it was answered {code} {reason}".rstrip() in line for line in diagnosis.causes[0].evidence)


def test_a_404_in_another_users_name_is_about_that_user() -> None:
    example = registers(404, "Not Found", authentication="digest").sip_number(username="stranger")
    example._sip("received", "SIP/2.0 401 Unauthorized", "REGISTER")
    assert [cause.id for cause in example.diagnose().causes] == ["username-wrong"]


@pytest.mark.parametrize("probe", ["answers", "silent", "refuses"])
def test_a_bare_503_is_the_registrars_or_nobodys(probe: str) -> None:
    """RFC 3261 section 8.1.3.1: a stack says 503 of what did not get out. Who answers us may have said it."""
    diagnosis = registers(503, authentication="digest").sip_number().probed("termination", probe).diagnose()
    named = {cause.id: cause.confidence for cause in diagnosis.causes}
    if probe == "answers":
        assert named == {"trunk-inactive": "likely", "registration-unanswered": "likely"}
    else:
        assert not {"trunk-inactive", "registration-unanswered"} & named.keys()
        assert {cause.removesuffix("-rejected") for cause in named} == {"firewall-udp-32681"}
