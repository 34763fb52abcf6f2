"""Facts on an established call: who ended it, its quality, who called, which digits arrived."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import CALLER
from tests.unit.diagnosis.known import facts_of, talk

# -- digits


@pytest.mark.parametrize(
    ("seen", "passed", "value"),
    [("12", True, "right"), ("12", False, "by another method"), ("1", False, "wrong"), ("", False, "none")],
)
def test_digits_that_arrived(seen: str, passed: bool, value: str) -> None:
    facts = facts_of(talk().finding("dtmf", "assistant main", passed, sent="12", seen=seen))
    assert facts.value("digits") == value


@pytest.mark.parametrize(("listed", "value"), [(["0"], "arrived"), ([], "none"), (None, None), ("0", None)])
def test_a_digit_that_asks_for_a_person(listed: object, value: str | None) -> None:
    example = Example(axes={"ask": "digit"}).dials().record(witness={"digits": listed})
    assert facts_of(example).value("digits") == value
    assert facts_of(Example(axes={"ask": "words"}).dials().record(witness={"digits": listed})).value("digits") is None


# -- who calls


@pytest.mark.parametrize(
    ("host", "anonymous", "shown"),
    [
        ("platform.example", True, "no number"),
        ("anonymous.invalid", True, "anonymous"),
        (None, True, "anonymous"),
        (None, False, "no number"),
    ],
)
def test_a_from_without_a_user(host: str | None, anonymous: bool, shown: str) -> None:
    example = talk().finding("caller_id", "assistant main", from_user="", from_host=host, anonymous=anonymous)
    assert facts_of(example).value("caller_id.ai") == shown


def test_a_wrong_number_in_any_invite_is_told() -> None:
    example = Example().dials().ai_gets(shown="<sip:+12025550177@p.example>;tag=a").ai_gets()
    assert facts_of(example).value("caller_id.ai") == "another number"
    assert facts_of(Example().dials().ai_gets().ai_gets()).value("caller_id.ai") == "right"
    assert facts_of(Example().ai_gets()).value("caller_id.ai") is None
    assert facts_of(Example().dials().ai_gets(shown="<<>")).value("caller_id.ai") is None
    assert facts_of(Example().dials().dials_too("stranger").ai_gets()).value("caller_id.ai") == "right"
    broken = Example().dials().ai_gets(shown="<sip:+12025550177@p.example>;tag=a").ai_gets(shown="<<>")
    assert facts_of(broken).value("caller_id.ai") == "another number"


# -- X-headers


@pytest.mark.parametrize(
    ("values", "wanted", "passed", "told"),
    [
        ([CALLER], CALLER, True, "right"),
        ([CALLER], CALLER, False, "right"),
        ([], CALLER, False, "missing"),
        ([], None, True, "right"),
        (["x"], None, False, "unexpected"),
        ([CALLER, CALLER], CALLER, False, "there more than once"),
        ([CALLER.lstrip("+")], CALLER, False, "without its plus"),
        (["x"], CALLER, False, "another value"),
    ],
)
def test_what_an_x_header_says(values: list[str], wanted: str | None, passed: bool, told: str) -> None:
    for header, fact in (("X-Gladly-Caller-Id", "header.caller"), ("x-gladly-routing-selector", "header.selector")):
        facts_: dict[str, Any] = {"header": header, "values": values, "value": wanted}
        example = Example("gladly", "GL-HEADER-CALLER", transport="tls").finding(
            "header", "assistant main", passed, **facts_
        )
        assert facts_of(example).value(fact) == told
        other = Example("gladly", "GL-HEADER-CALLER", transport="tls").finding("header", "billing.1", passed, **facts_)
        assert facts_of(other).value(fact) is None
