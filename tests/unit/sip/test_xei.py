"""X-EI."""

from __future__ import annotations

import pytest

from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import is_passed_on, x_ei
from harness.sip.message import Request


def said(*headers: tuple[str, str]) -> dict[str, str]:
    return x_ei(Request.build("INVITE", "sip:x", headers))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("S.abc123;E.crm456;O.+15551234567;", "abc123 crm456 +15551234567"),
        ("O.+15551234567;S.abc123", "abc123 - +15551234567"),
        (" E.a.b.c ; ", "- a.b.c -"),
        ("", "- - -"),
    ],
)
def test_any_subset_in_any_order(text: str, found: str) -> None:
    names = ("call_id", "external_id", "original_caller")
    assert said(("x-ei", text)) == {
        name: value for name, value in zip(names, found.split(), strict=True) if value != "-"
    }


@pytest.mark.parametrize("text", ["S.", "S", "X.1;", "S.a;S.b;", "s.a", "abc"])
def test_what_is_no_xei(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        said(("X-EI", text))


def test_a_stripped_diversion_is_merged() -> None:
    diverted = ("X-Diversion", " +12065550100")
    assert said(diverted) == {"original_caller": "+12065550100"}
    assert said(("X-EI", "S.1;"), diverted) == {"call_id": "1", "original_caller": "+12065550100"}
    assert said(("X-EI", "O.+12065550111;"), diverted) == {"original_caller": "+12065550111"}
    assert said() == {}


@pytest.mark.parametrize(
    ("name", "value", "passed"),
    [
        ("X-Customer_Id", "1", True),
        ("X-", "1", False),
        ("x-lower", "1", False),
        ("X-Dot.ted", "1", False),
        ("Subject", "1", False),
        ("X-A", "a\r\nb", False),
    ],
)
def test_which_headers_pass(name: str, value: str, passed: bool) -> None:
    assert is_passed_on(name, value) is passed
