"""Messages that pjsua2 does not take, or whose end it loses (RFC 3261 section 18.1.1): that is told, and is no platform's fault."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from harness.calls.events import SipMessage
from harness.errors import PhoneParseError
from harness.phone.phone import Phone
from harness.phone.unread import LONGEST_MESSAGE, headers_cut_off
from harness.phone.waiter import NeverCame
from harness.sip.message import Message, Request, Response
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk
from tests.stranger import AUDIO, SESSION, Stranger

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


def test_an_invite_over_tcp_whose_end_nothing_says_is_the_far_ends_fault(lease: Desk) -> None:
    phone = lease("callee", transport="tcp")
    with expected(phone) as ended:
        far = OverTcp.to(phone)
        far.invites(phone, content_length=False)
    far.connection.close()
    assert isinstance(ended[0], NeverCame)
    assert "it has no Content-Length" in str(ended[0])


def test_a_200_over_tcp_that_is_too_long_is_no_answer_that_never_came(lease: Desk) -> None:
    phone = lease("caller", transport="tcp")
    with socket.create_server((fresh_address(), 0)) as server:
        host, port = server.getsockname()
        leg = phone.dial(f"sip:1@{host}:{port};transport=tcp")
        connection, _ = server.accept()
        with connection:
            invite = Message.parse(connection.recv(65536))
            assert isinstance(invite, Request)
            headers = (("Contact", f"<sip:1@{host}:{port};transport=tcp>"), tuple(PADDING.split(": ")))
            connection.sendall(Response.to_request(invite, 200, tag="a", headers=headers).serialize())  # type: ignore[arg-type]
            with pytest.raises(PhoneParseError, match=f"its stack accepts {LONGEST_MESSAGE}"):
                leg.wait_state("confirmed", 1.5)
    assert [event.leg for event in unread(lease)] == [leg.id]


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


def test_of_a_call_whose_invite_lost_its_last_headers_none_is_called_absent(lease: Desk, stranger: Stranger) -> None:
    stranger.writes = at(-1)
    phone = lease("callee")
    with expected(phone) as ended:
        answer = stranger.calls(phone, SESSION + AUDIO)
    assert not ended
    (leg,) = phone.incoming
    assert headers_cut_off(leg.invite) is not None
    stranger.hangs_up(phone, answer)
