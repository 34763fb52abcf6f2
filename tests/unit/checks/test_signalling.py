"""Transport and trunk, codec, provisional responses and digits, where right and wrong are close."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.calls.checks import headers, landing, reach, signalling
from harness.calls.verdict import Finding, Verdict
from harness.sip.message import Message, Request


def passed(finding: Finding | None) -> bool | None:
    return None if finding is None else finding.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("seen", "local", "right"),
    [
        ("udp", "192.0.2.1:5060", True),
        ("tcp", "192.0.2.1:5060", False),
        ("udp", "192.0.2.1:5061", False),
        ("udp", "192.0.2.1:", False),
        ("udp", "[2001:db8::1]:5060", True),
    ],
)
def test_transport_and_port(seen: str, local: str, right: bool) -> None:
    assert passed(signalling.transport("ai", "udp", 5060, seen, local)) is right


def test_a_port_that_is_not_known_is_zero() -> None:
    assert signalling.transport("ai", "udp", 5060, "udp", "").facts["port"] == 0
    assert signalling.transport("ai", "udp", 5060, "udp", "h:1", "m1").evidence == ("m1",)
    assert signalling.transport("ai", "udp", 5060, "udp", "h:1").evidence == ()


@pytest.mark.parametrize(
    ("hosts", "came_from", "right"),
    [
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.1:9", True),
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.2:9", False),
        ({"a": "192.0.2.1", "b": "192.0.2.1"}, "192.0.2.1:9", None),
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.3:9", None),
        ({"a": "192.0.2.1", "b": "192.0.2.2"}, None, None),
        ({"a": None, "b": "192.0.2.2"}, None, None),
        ({"a": "192.0.2.1"}, "192.0.2.1:9", True),
        ({"a": "2001:db8::1", "b": "2001:db8::2"}, "[2001:db8::2]:9", False),
    ],
)
def test_the_trunk_by_the_address_a_call_comes_from(
    hosts: Mapping[str, str | None], came_from: str | None, right: bool | None
) -> None:
    assert passed(signalling.trunk("ai", "a", hosts, came_from)) is right


@pytest.mark.parametrize(("seen", "right"), [("pcmu", True), ("PCMA", True), ("G722", False), ("", False)])
def test_the_codec(seen: str, right: bool) -> None:
    assert passed(signalling.codec("ai", signalling.G711, seen)) is right


@pytest.mark.parametrize(("secure", "right"), [(True, True), (False, False), (None, False)])
def test_encryption(secure: bool | None, right: bool) -> None:
    assert passed(signalling.encrypted("ai", secure)) is right


@pytest.mark.parametrize(
    ("seen", "methods", "right"),
    [
        ("12", ["rfc4733"], True),
        ("12", [], True),
        ("12", ["info"], False),
        ("12", ["rfc4733", "info"], False),
        ("1", ["rfc4733"], False),
    ],
)
def test_digits_by_their_method(seen: str, methods: list[str], right: bool) -> None:
    assert passed(signalling.digits("ai", "12", seen, methods, "rfc4733")) is right


@pytest.mark.parametrize(("seen", "right"), [([40, 1000], True), ([39], False), ([1001], False), ([], False)])
def test_how_long_digits_last(seen: list[int], right: bool) -> None:
    assert passed(signalling.durations("ai", seen)) is right


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([None], Verdict.NOT_OBSERVABLE),
        ([160, None, 90], Verdict.NOT_OBSERVABLE),
        ([None, 12], Verdict.FAILED),  # what is told was too short, whatever the others were
        ([0, None], Verdict.FAILED),
    ],
)
def test_a_length_that_nobody_tells_is_none(seen: list[int | None], expected: Verdict) -> None:
    assert signalling.durations("ai", seen).verdict is expected


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [(486, "Busy", "it was 486 Busy"), (486, "", "it was 486"), (0, "x", "x"), (0, "", "none came")],
)
def test_a_final_response_in_words(code: int, reason: str, said: str) -> None:
    finding = signalling.final_response("caller.1", (486,), code, reason)
    assert finding.actual == said
    assert passed(finding) is (code == 486)


# -- Request-URI and headers


def invite(uri: str, *lines: str) -> Request:
    parsed = Message.parse("\r\n".join([f"INVITE {uri} SIP/2.0", *lines, "", ""]))
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.parametrize(
    ("uri", "right"),
    [
        ("sip:+12065550100@h", True),
        ("sip:+12065550100;phone-context=x@h", True),
        ("sip:x;+12065550100@h", False),
        ("sip:h", False),
    ],
)
def test_the_number_of_a_request_uri(uri: str, right: bool) -> None:
    """A SIP user part may carry the parameters of a tel URI (RFC 3261 section 19.1.6)."""
    assert passed(headers.request_user(invite(uri), "ai", "+12065550100")) is right


def test_a_header_stands_once_with_its_value() -> None:
    assert passed(headers.header(invite("sip:h", "X-A: 1"), "ai", "X-A", "1")) is True
    assert passed(headers.header(invite("sip:h", "X-A: 1", "X-A: 1"), "ai", "X-A", "1")) is False
    assert passed(headers.header(invite("sip:h", "X-A: 2"), "ai", "X-A", "1")) is False
    assert passed(headers.header(invite("sip:h"), "ai", "X-A", "1")) is False
    assert passed(headers.no_header(invite("sip:h"), "ai", "X-A")) is True
    assert passed(headers.no_header(invite("sip:h", "X-A:"), "ai", "X-A")) is False


# -- where a call got


@pytest.mark.parametrize(
    ("seconds", "since", "said"),
    [
        (1.0, None, "after 1.00 s"),
        (1.0, 1.05, "1.05 s after the INVITE"),
        (1.0, 9.0, "9.00 s after the INVITE, 1.00 s after it was waited for"),
        (0.0, 0.1, "0.10 s after the INVITE, 0.00 s after it was waited for"),
        (None, 9.0, "no answer came"),
    ],
)
def test_a_wait_that_began_with_the_invite_is_told_once(seconds: float | None, since: float | None, said: str) -> None:
    assert reach.answered("caller.1", seconds, 2.0, since_invite_s=since).actual == said


def test_only_the_one_wanted_answers() -> None:
    assert passed(landing.only_one("the call", ["main"], "main")) is True
    assert passed(landing.only_one("the call", ["main", "sales"], "main")) is False
    assert passed(landing.only_one("the call", [], "main")) is False
    unseen = landing.only_one("the call", [], "main", state="confirmed")  # a voicemail, say
    assert unseen.actual == "the platform itself or an unobserved phone answered"
    assert passed(landing.one_call("p", ["p.1"], "p.1")) is True
    assert passed(landing.one_call("p", ["p.1", "p.2"], "p.1")) is False


@pytest.mark.parametrize(
    ("rang", "its_turn", "right"),
    [(True, True, True), (False, False, True), (True, False, False), (False, True, False)],
)
def test_agents_ring_in_their_turn(rang: bool, its_turn: bool, right: bool) -> None:
    finding = landing.turn("p", rang, its_turn)
    assert passed(finding) is right
    assert finding.facts["rang"] == int(rang)


@pytest.mark.parametrize(
    ("declared", "passed_on", "right"),
    [("consumed", False, True), ("consumed", True, False), ("passed-on", True, True), ("passed-on", False, False)],
)
def test_what_became_of_a_refer(declared: str, passed_on: bool, right: bool) -> None:
    assert passed(landing.refer_mode("caller.1", declared, passed_on)) is right


def test_a_phone_that_was_not_watched_has_shown_nothing() -> None:
    assert passed(landing.never_rang("p", 0, False)) is False
    assert landing.never_rang("p", 0, False).facts["watched"] is False
