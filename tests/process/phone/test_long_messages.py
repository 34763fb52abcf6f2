"""Messages that pjsua2 drops or truncates (RFC 3261 section 18.1.1): reported, and not the
platform's fault.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from harness.case.events import SipMessage
from harness.errors import PhoneParseError
from harness.phone.phone import Phone
from harness.phone.waiter import LONGEST_MESSAGE
from tests.process.phone.conftest import Desk
from tests.stranger import Stranger, invite_over_tcp

PADDING = "x" * LONGEST_MESSAGE


@contextlib.contextmanager
def expected(phone: Phone) -> Iterator[list[Exception]]:
    """What a wait for a call, begun before, ends with."""
    ended: list[Exception] = []

    def wait() -> None:
        try:
            phone.expect_call(1.5, answer=True)
        except Exception as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    yield ended
    waiting.join()


def test_an_invite_over_tcp_that_is_too_long_breaks_the_wait(lease: Desk) -> None:
    phone = lease("callee", transport="tcp")
    host, _, port = phone.address.rpartition(":")
    with expected(phone) as ended:
        connection = invite_over_tcp(phone, (host, int(port)), ("X-Padding", PADDING))
    connection.close()
    assert isinstance(ended[0], PhoneParseError)
    assert f"its stack accepts {LONGEST_MESSAGE}" in str(ended[0])
    unread = [event for event in lease.events if isinstance(event, SipMessage) and event.unread]
    assert [event.transport for event in unread] == ["tcp"]


def test_an_invite_over_udp_that_has_lost_its_headers_breaks_the_wait(
    lease: Desk, stranger: Stranger
) -> None:
    """Everything after the first line is lost, also Call-ID and Via."""
    stranger.writes = lambda head: head.replace("\r\n", f"\r\nX-Padding: {PADDING}\r\n", 1)
    phone = lease("callee")
    with expected(phone) as ended:
        stranger.says(phone, "INVITE", 1, None)
    assert isinstance(ended[0], PhoneParseError)
    assert f"its stack accepts {LONGEST_MESSAGE}" in str(ended[0])
