"""OPTIONS to a platform that asks who it is first, as many do (RFC 3261 sections 11 and 22)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.scenario.keepalive import options
from harness.sip.digest import DigestServer
from harness.sip.message import Request
from tests.process.phone.conftest import Desk
from tests.process.phone.stranger import Stranger


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
        asked = threads.submit(options, phone, f"sip:{stranger.address}")
        while not asked.done():
            request = stranger.next(0.05)
            if not isinstance(request, Request):
                continue
            if server.verify(request).accepted:
                stranger.respond(request, 200)
            else:
                stranger.respond(request, 401, [server.challenge()])
    assert asked.result() == expected
