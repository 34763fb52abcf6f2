"""X-EI."""

from __future__ import annotations

import pytest

from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import Xei, is_passed_on, merged_with_diversion
from harness.sip.message import Message, Request


@pytest.mark.parametrize(
    ("text", "xei"),
    [
        ("S.abc123;E.crm456;O.+15551234567;", Xei("abc123", "crm456", "+15551234567")),
        ("O.+15551234567;S.abc123", Xei("abc123", None, "+15551234567")),
        (" E.a.b.c ; ", Xei(None, "a.b.c", None)),
        ("", Xei()),
    ],
)
def test_any_subset_in_any_order(text: str, xei: Xei) -> None:
    assert Xei.parse(text) == xei
    assert Xei.parse(str(xei)) == xei


@pytest.mark.parametrize("text", ["S.", "S", "X.1;", "S.a;S.b;", "s.a", "abc"])
def test_what_is_no_xei(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Xei.parse(text)


@pytest.mark.parametrize("value", ["a;b", "a\r\nb", ""])
def test_what_it_cannot_carry(value: str) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        str(Xei(external_id=value))


def invite(*headers: tuple[str, str]) -> Request:
    return Request.build("INVITE", "sip:x", headers)


def test_a_stripped_diversion_is_merged() -> None:
    assert merged_with_diversion(invite(("X-Diversion", "+12065550100"))) == Xei(None, None, "+12065550100")
    both = invite(("X-EI", "S.1;"), ("X-Diversion", "+12065550100"))
    assert merged_with_diversion(both) == Xei("1", None, "+12065550100")
    own = invite(("X-EI", "O.+12065550111;"), ("X-Diversion", "+12065550100"))
    assert merged_with_diversion(own) == Xei(None, None, "+12065550111")
    assert merged_with_diversion(invite()) is None
    assert Xei.of(Message.parse("INVITE sip:x SIP/2.0\r\nx-ei: E.1;\r\n\r\n")) == Xei(None, "1", None)


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
