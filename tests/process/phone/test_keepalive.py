"""OPTIONS to a platform that challenges them (RFC 3261 sections 11 and 22), and requests after the end of a call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.scenario.case_phones import send_options
from harness.sip.digest import DigestServer
from harness.sip.message import Request
from tests.process.phone.conftest import Desk
from tests.stranger import Stranger, talking


@pytest.mark.parametrize(
    ("password", "expected"), [("b", (200, "OK")), ("not-it", (401, "Unauthorized")), (None, (401, "Unauthorized"))]
)
def test_a_challenge_is_answered(
    lease: Desk, stranger: Stranger, password: str | None, expected: tuple[int, str]
) -> None:
    known = {"username": "a", "password": password} if password else {}
    phone = lease("agent", **known)
    server = DigestServer("acme", {"a": "b"}.get)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(send_options, phone, f"sip:{stranger.address}")
        while not asked.done():
            request = stranger.next(0.05)
            if not isinstance(request, Request):
                continue
            if server.verify(request).accepted:
                stranger.respond(request, 200)
            else:
                stranger.respond(request, 401, [server.challenge()])
    assert asked.result() == expected


@pytest.mark.parametrize("method", ["INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "UPDATE"])
def test_of_a_call_that_is_over_a_platform_is_told_so(lease: Desk, stranger: Stranger, method: str) -> None:
    """pjsip keeps the dialog for 32 s, and would answer 500; an INVITE would get no answer."""
    phone = lease("callee")
    leg, call = talking(phone, stranger)
    assert stranger.hangs_up(phone, call).status == 200
    leg.wait_closed()
    assert stranger.within(phone, method, 100, call).status == 481  # RFC 3261 section 12.2.2
