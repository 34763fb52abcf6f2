"""Transport and trunk, codec, digits, Request-URI and headers, where right and wrong are close."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.case.checks import signalling
from harness.case.verdict import Finding, Verdict
from harness.sip.message import Message, Request


def passed(finding: Finding | None) -> bool | None:
    return None if finding is None else finding.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("seen", "local", "right"),
    [
        ("tcp", "192.0.2.1:5060", False),
        ("udp", "192.0.2.1:5061", False),
        ("udp", "192.0.2.1:", False),
        ("udp", "[2001:db8::1]:5060", True),
    ],
)
def test_transport_and_port(seen: str, local: str, right: bool) -> None:
    assert passed(signalling.transport("ai", "udp", 5060, seen, local)) is right


@pytest.mark.parametrize(
    ("hosts", "came_from", "right"),
    [
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.1:9", True),
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.2:9", False),
        ({"a": "192.0.2.1", "b": "192.0.2.1"}, "192.0.2.1:9", None),
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.3:9", None),
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, None, None),
        ({"a": None, "b": "192.0.2.2"}, None, None),
        ({"a": "2001:db8::1", "b": "2001:db8::2"}, "[2001:db8::2]:9", False),
    ],
)
def test_the_trunk_by_the_address_a_call_comes_from(
    hosts: Mapping[str, str | None], came_from: str | None, right: bool | None
) -> None:
    finding = signalling.trunk("ai", "a", hosts, came_from, "m3")
    assert passed(finding) is right
    if finding is not None and not right:
        assert (finding.facts, finding.evidence) == ({"trunk": "b", "wanted": "a"}, ("m3",))


@pytest.mark.parametrize(("seen", "right"), [("pcmu", True), ("PCMA", True), ("G722", False)])
def test_the_codec(seen: str, right: bool) -> None:
    assert passed(signalling.codec("ai", signalling.G711, seen)) is right


@pytest.mark.parametrize(
    ("seen", "methods", "right"),
    [
        ("12", [], True),
        ("12", ["info"], False),
        ("12", ["rfc4733", "info"], False),
        ("1", ["rfc4733"], False),
    ],
)
def test_digits_by_their_method(seen: str, methods: list[str], right: bool) -> None:
    assert passed(signalling.digits("ai", "12", seen, methods, "rfc4733")) is right


def invite(uri: str, *lines: str) -> Request:
    parsed = Message.parse("\r\n".join([f"INVITE {uri} SIP/2.0", *lines, "", ""]))
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.parametrize(
    ("uri", "right"),
    [
        (
            "sip:+12065550100;phone-context=x@h",
            True,
        ),  # parameters of a tel URI (RFC 3261 section 19.1.6)
        ("sip:x;+12065550100@h", False),
        ("sip:h", False),
        ("tel:+1-206-555-0100", True),
        ("sip:+1(206)555.0100;ext=1@192.0.2.1;user=phone", True),
        ("sip:+1-206-555-0100@192.0.2.1", False),
        ("sip:12065550100@192.0.2.1;user=phone", False),
    ],
)
def test_the_number_of_a_request_uri(uri: str, right: bool) -> None:
    assert passed(signalling.request_user(invite(uri), "ai", "+12065550100")) is right


@pytest.mark.parametrize(
    ("lines", "present", "absent", "actual"),
    [
        (["X-A: 1"], True, False, "X-A is '1'"),
        (["X-A: 1", "X-A: 1"], False, False, "X-A is '1' and '1'"),
        (["X-A: 2"], False, False, "X-A is '2'"),
        (["X-A:"], False, False, "X-A is ''"),
        ([], False, True, "X-A is absent"),
    ],
)
def test_a_header_stands_once_with_its_value(
    lines: list[str], present: bool, absent: bool, actual: str
) -> None:
    request = invite("sip:h", *lines)
    given = signalling.header(request, "ai", "X-A", "1")
    missing = signalling.no_header(request, "ai", "X-A")
    assert (passed(given), passed(missing)) == (present, absent)
    assert given.actual == missing.actual == actual
