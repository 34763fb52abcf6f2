"""Messages that pjsua2 drops or truncates (RFC 3261 section 18.1.1): reported, and not the platform's fault."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from harness.calls.events import SipMessage
from harness.errors import PhoneParseError
from harness.phone.phone import Phone
from harness.phone.waiter import LONGEST_MESSAGE
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk
from tests.stranger import Stranger

PADDING = f"X-Padding: {'x' * LONGEST_MESSAGE}"


class OverTcp:
    """A far end on one connection, in either direction."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.me = "{}:{}".format(*connection.getsockname())

    @classmethod
    def to(cls, phone: Phone) -> OverTcp:
        host, _, port = phone.address.rpartition(":")
        return cls(socket.create_connection((host, int(port)), timeout=10, source_address=(fresh_address(), 0)))

    def invites(self, phone: Phone, *headers: str, content_length: bool = True) -> None:
        uri = f"sip:{phone.config.user}@{phone.address}"
        lines = [
            f"INVITE {uri} SIP/2.0",
            f"Via: SIP/2.0/TCP {self.me};branch=z9hG4bK-1",
            f"From: <sip:stranger@{self.me}>;tag=1",
            f"To: <{uri}>",
            f"Call-ID: {self.me}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:stranger@{self.me};transport=tcp>",
            *headers,
            *(["Content-Length: 0"] if content_length else []),
        ]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode())


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


def unread(desk: Desk) -> list[SipMessage]:
    return [event for event in desk.events if isinstance(event, SipMessage) and event.unread]


def test_an_invite_over_tcp_that_is_too_long_breaks_the_wait(lease: Desk) -> None:
    phone = lease("callee", transport="tcp")
    with expected(phone) as ended:
        far = OverTcp.to(phone)
        far.invites(phone, PADDING)
    far.connection.close()
    assert isinstance(ended[0], PhoneParseError)
    assert f"its stack accepts {LONGEST_MESSAGE}" in str(ended[0])
    assert [event.transport for event in unread(lease)] == ["tcp"]


def at(line: int) -> Callable[[str], str]:
    def writes(head: str) -> str:
        lines = head.split("\r\n")
        return "\r\n".join([*lines[:line], PADDING, *lines[line:]]) if head.startswith("INVITE") else head

    return writes


def test_an_invite_over_udp_that_has_lost_its_headers_breaks_the_wait(lease: Desk, stranger: Stranger) -> None:
    stranger.writes = at(1)  # all that follows is lost, Call-ID and Via as well
    phone = lease("callee")
    with expected(phone) as ended:
        stranger.says(phone, "INVITE", 1, None)
    assert isinstance(ended[0], PhoneParseError)
    assert f"its stack accepts {LONGEST_MESSAGE}" in str(ended[0])
