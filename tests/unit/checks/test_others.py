from __future__ import annotations

import pytest

from harness.checks import headers, landing, signalling, timing
from harness.checks.finding import not_observable
from harness.sip.message import Request
from harness.verdict import Finding, Verdict, overall


def invite(*more: str) -> Request:
    head = [
        "INVITE sip:+12065550100@192.0.2.1:32681 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1",
        "From: <sip:+14155550101@example.com>;tag=1",
        "To: <sip:+12065550100@192.0.2.1>",
        "Call-ID: a@b",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
    ]
    parsed = Request.parse("\r\n".join([*head, *more, "Content-Length: 0"]) + "\r\n\r\n")
    assert isinstance(parsed, Request)
    return parsed


def right(finding: Finding) -> bool:
    assert finding.verdict in (Verdict.PASSED, Verdict.FAILED)
    return finding.verdict is Verdict.PASSED


def test_request_uri_names_the_number() -> None:
    assert right(headers.request_user(invite(), "ai", "+12065550100"))
    assert not right(headers.request_user(invite(), "ai", "+12065550101"))


def test_header_once_and_exact() -> None:
    name, value = "X-Gladly-Caller-Id", "+14155550101"
    assert right(headers.header(invite(f"{name}: {value}"), "ai", name, value))
    assert not right(headers.header(invite(), "ai", name, value))
    assert not right(headers.header(invite(f"{name}: 4155550101"), "ai", name, value))
    assert not right(headers.header(invite(f"{name}: {value}", f"{name}: {value}"), "ai", name, value))
    assert right(headers.no_header(invite(), "ai", name))
    assert not right(headers.no_header(invite(f"{name}: {value}"), "ai", name))


def test_transport_needs_its_own_port() -> None:
    assert right(signalling.transport("ai", "udp", 32681, "udp", "192.0.2.1:32681"))
    assert not right(signalling.transport("ai", "udp", 32681, "tcp", "192.0.2.1:32681"))
    assert not right(signalling.transport("ai", "tls", 32682, "tls", "192.0.2.1:32681"))


def test_codec() -> None:
    assert right(signalling.codec("ai", signalling.G711, "PCMA"))
    assert not right(signalling.codec("ai", signalling.G711, "opus"))
    assert not right(signalling.codec("ai", signalling.G711, ""))


def test_final_response() -> None:
    assert right(signalling.final_response("caller.1", (486,), 486, "Busy Here"))
    assert not right(signalling.final_response("caller.1", (486,), 200, "OK"))
    assert not right(signalling.final_response("caller.1", (486,), 0, ""))


@pytest.mark.parametrize(
    ("seen", "methods", "passes"),
    [
        ("12#", ["rfc4733"] * 3, True),
        ("12", ["rfc4733"] * 2, False),
        ("112#", ["rfc4733"] * 4, False),
        ("21#", ["rfc4733"] * 3, False),
        ("12#", ["rfc4733", "info", "rfc4733"], False),
        ("", [], False),
    ],
)
def test_digits(seen: str, methods: list[str], passes: bool) -> None:
    assert right(signalling.digits("ai", "12#", seen, methods, "rfc4733")) is passes


def test_durations() -> None:
    assert right(signalling.durations("ai", [100, 160]))
    assert not right(signalling.durations("ai", [10, 160]))
    assert not right(signalling.durations("ai", [100, 4000]))
    assert not right(signalling.durations("ai", []))


def test_timing() -> None:
    assert right(timing.took("x", "the fallback", 2.4, 2.0))
    assert not right(timing.took("x", "the fallback", 0.2, 2.0))
    assert not right(timing.took("x", "the fallback", 30.0, 2.0))
    assert right(timing.within("x", "it", 0.5, 1.0))
    assert not right(timing.within("x", "it", None, 1.0))
    assert right(timing.released("x", 0.2, 1.0))
    assert not right(timing.released("x", 1.2, 1.0))
    assert not right(timing.released("x", None, 1.0))


def test_landing() -> None:
    assert right(landing.landed("the call", "billing", ["billing"]))
    assert not right(landing.landed("the call", "billing", ["support"]))
    assert not right(landing.landed("the call", "billing", []))
    assert right(landing.only_one("the call", ["main"], "main"))
    assert not right(landing.only_one("the call", ["main", "sales"], "main"))
    assert not right(landing.only_one("the call", [], "main"))


def test_a_phone_nobody_could_reach_shows_nothing() -> None:
    assert right(landing.never_rang("support", 0, watched=True))
    assert not right(landing.never_rang("support", 1, watched=True))
    assert not right(landing.never_rang("support", 0, watched=False))


def test_overall_is_the_worst() -> None:
    passed = timing.within("x", "it", 0.5, 1.0)
    failed = timing.within("x", "it", None, 1.0)
    unseen = not_observable("x", "y", expected="z", why="nobody looks")
    assert overall([passed]) is Verdict.PASSED
    assert overall([passed, unseen]) is Verdict.NOT_OBSERVABLE
    assert overall([passed, unseen, failed]) is Verdict.FAILED
    assert overall([]) is Verdict.FAILED
