"""A phone behind a NAT: the address from STUN is in its Contact and SDP."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk, uri_of

OUTSIDE = "203.0.113.5"  # RFC 5737
COOKIE = 0x2112A442


class StunServer:
    """Answers every Binding request with one address and the port it came from (RFC 5389, and RFC
    3489's attribute).
    """

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((fresh_address(), 0))
        self.address = "{}:{}".format(*self.socket.getsockname())
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while True:
            request, peer = self.socket.recvfrom(2048)
            if len(request) < 20:
                return
            (address,) = struct.unpack("!I", socket.inet_aton(OUTSIDE))
            mapped = struct.pack("!HHBBHI", 0x0001, 8, 0, 1, peer[1], address)
            xored = struct.pack(
                "!HHBBHI", 0x0020, 8, 0, 1, peer[1] ^ COOKIE >> 16, address ^ COOKIE
            )
            head = struct.pack("!HH", 0x0101, len(mapped + xored)) + request[4:20]
            self.socket.sendto(head + mapped + xored, peer)

    def close(self) -> None:
        self.socket.sendto(b"stop", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


@pytest.fixture
def stun() -> Iterator[StunServer]:
    server = StunServer()
    yield server
    server.close()


def test_the_address_from_stun_is_offered(stun: StunServer, lease: Desk) -> None:
    bob = lease("bob")
    alice = lease("alice", stun_server=stun.address)
    assert alice.process is not bob.process  # STUN is a setting of the whole process
    alice.dial(uri_of(bob))
    invite = bob.expect_call(10, answer=None).invite
    assert f"c=IN IP4 {OUTSIDE}" in invite.text
    assert f"Contact: <sip:+12065550102@{OUTSIDE}:" in invite.text
