"""Whose evidence it is: the roles of phones and legs, and whether a number is the caller's in
another form.
"""

from __future__ import annotations

import pytest

from harness.case.legs import CaseEvents
from harness.diagnosis.scene import Vantage, said_by, same_number
from harness.sip.message import Message
from tests.unit.diagnosis.case import Example, dialled


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("caller.1", "caller"),
        ("customer", "caller"),
        ("billing.2", "agent"),
        ("reception's leg", "agent"),
        ("assistant main", "ai"),
        ("stand-in.1", "ai"),
        ("ai-tls.1", "ai"),
        ("probe", "probe"),
    ],
)
def test_roles_by_the_deployments_names(label: str, role: str) -> None:
    assert Vantage(Example().deployment, CaseEvents()).role(label) == role


@pytest.mark.parametrize("agent", ["front.desk", "caller.7", "2.5 (test)"])
def test_a_phones_name_may_have_dots(agent: str) -> None:
    deployment = Example().deployment
    group = deployment.groups["billing"].model_copy(update={"agents": (agent,)})
    vantage = Vantage(deployment.model_copy(update={"groups": {"billing": group}}), CaseEvents())
    assert {vantage.role(label) for label in (agent, f"{agent}.12", f"{agent}'s leg")} == {"agent"}
    assert vantage.role("caller.1") == "caller"


def test_roles_without_a_deployment_by_who_calls_whom() -> None:
    vantage = Vantage(None, CaseEvents(dialled().rings("somebody").events))
    assert (vantage.role("caller.1"), vantage.role("somebody.1")) == ("caller", "agent")


@pytest.mark.parametrize(
    ("written", "number", "same"),
    [
        ("5550101", "+14155550101", True),
        ("550101", "+14155550101", False),
        ("004155550101", "+4155550101", True),
        ("0114155550101", "+4155550101", True),
        ("00" + "0550101", "+10550101", False),
        ("sip 415-555-0101", "+14155550101", True),
        ("24155550101", "+14155550101", False),
        (
            "02079460123",
            "+442079460123",
            True,
        ),  # with the trunk prefix that most of the world dials
        ("02079460124", "+442079460123", False),
        ("02079460123", "", False),
        ("1001", "1001", True),  # an extension
        ("21001", "1001", False),
    ],
)
def test_seven_digits_of_a_number_are_that_number(written: str, number: str, same: bool) -> None:
    assert same_number(written, number) is same


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("SIP/2.0 200 OK", ()),
        ("SIP/2.0 486 Busy Here", ("SIP/2.0 486 Busy Here",)),
        ("SIP/2.0 302 Moved Temporarily", ("SIP/2.0 302 Moved Temporarily",)),
        ("BYE sip:a@192.0.2.1 SIP/2.0", ()),
    ],
)
def test_a_refusal_is_quoted_with_its_status_line(message: str, said: tuple[str, ...]) -> None:
    assert said_by(Message.parse(f"{message}\r\nCall-ID: 1\r\n\r\n".encode())) == said
    assert said_by(None) == ()
