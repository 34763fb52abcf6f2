"""The BYE for a phone whose process is gone is challenged: its password goes where the phone's own would, and nowhere else."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.events import Direction, SipMessage
from harness.phone.config import PhoneConfig
from harness.phone.crash_hangup import hang_up
from harness.sip.message import Message, Request, Response
from tests.loopback import fresh_address
from tests.unit.phone.test_pending_teardown import INVITE, answer


class FarEnd:
    """It challenges a BYE without credentials, and takes one that has some."""

    def __init__(self, realm: str) -> None:
        self.realm, self.credentials = realm, list[str | None]()
        self.line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.line.bind((fresh_address(), 0))
        self.address = "{}:{}".format(*self.line.getsockname())
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while (datagram := self.line.recvfrom(65_535))[0]:
            request = Message.parse(datagram[0])
            assert isinstance(request, Request)
            self.credentials.append(request.get("Proxy-Authorization"))
            headers = [("Proxy-Authenticate", f'Digest realm="{self.realm}", nonce="n"')]
            taken = request.has("Proxy-Authorization")
            response = Response.to_request(request, 200 if taken else 407, headers=[] if taken else headers)
            self.line.sendto(response.serialize(), datagram[1])

    def close(self) -> None:
        host, port = self.address.split(":")
        self.line.sendto(b"", (host, int(port)))
        self.thread.join()
        self.line.close()


@pytest.mark.parametrize(
    ("configured", "shown", "asks", "is_answered"),
    [
        ("acme", "", "acme", True),
        ("acme", "", "stranger", False),
        ("*", "acme", "stranger", True),
        ("", "acme", "acme", True),
        ("", "acme", "stranger", False),  # who was called gets no hash after the proxy has
        ("", "", "acme", True),
    ],
)
def test_a_challenge_is_answered_as_by_the_phone(configured: str, shown: str, asks: str, is_answered: bool) -> None:
    far, local = FarEnd(asks), f"{fresh_address()}:0"
    credentials = f'Proxy-Authorization: Digest username="a", realm="{shown}"\r\nContact:'
    texts: tuple[tuple[Direction, str], ...] = (
        ("sent", INVITE.replace("Contact:", credentials) if shown else INVITE),
        ("received", answer(200).replace("127.0.0.2:5060", far.address)),
    )
    messages = [
        SipMessage(
            at=0.0,
            phone="p",
            leg="p.1",
            direction=direction,
            transport="udp",
            local=local,
            remote=far.address,
            text=text,
        )
        for direction, text in texts
    ]
    config = PhoneConfig("p", "a", "example.com", username="a", password="b", realm=configured)
    try:
        assert hang_up(config, "p.1", messages, lambda _: None) is is_answered
    finally:
        far.close()
    assert any(far.credentials) is is_answered
