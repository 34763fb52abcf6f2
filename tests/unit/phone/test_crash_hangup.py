"""The BYE for a phone whose process is gone: from the phone's port, and with its password where the phone's own would go."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from harness.calls.events import Direction
from harness.phone.config import PhoneConfig, TlsConfig
from harness.phone.crash_cleanup import hang_up
from harness.sip.framing import StreamFramer
from harness.sip.message import Message, Request, Response
from tests.certificates import Authority
from tests.loopback import fresh_address
from tests.sip_peer import PATIENCE_S, SipPeer
from tests.unit.phone.torn_calls import INVITE, answer, answered_call, message
from tests.unit.phone_events import sip_message


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


@pytest.fixture
def peer() -> Iterator[SipPeer]:
    with contextlib.closing(SipPeer(fresh_address())) as peer:
        yield peer


def config(local: str, **more: Any) -> PhoneConfig:
    """The phone that is bound to ``local``."""
    return PhoneConfig("p", "a", "example.com", bind_address=local.rpartition(":")[0], **more)


OUTSIDE = "203.0.113.5"  # RFC 5737


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
    messages = [message(direction, text, local, far.address) for direction, text in texts]
    phone = config(local, username="a", password="b", realm=configured)
    try:
        assert hang_up(phone, "p.1", messages, lambda _: None) is is_answered
    finally:
        far.close()
    assert any(far.credentials) is is_answered


class TlsFarEnd:
    """Takes one BYE over TLS, with a certificate for ``name``, or without one for its address.

    ``asked_for`` is what the connection asked for (RFC 6066 section 3).
    """

    def __init__(self, authority: Authority, name: str) -> None:
        self.asked_for: list[str | None] = []
        host = fresh_address()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.issue(name or host))
        self._context.sni_callback = lambda _, asked, __: self.asked_for.append(asked)
        self._listener = socket.create_server((host, 0))
        self._listener.settimeout(PATIENCE_S)
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listener, self._listener.accept()[0] as accepted:
            accepted.settimeout(PATIENCE_S)
            with self._context.wrap_socket(accepted, server_side=True) as line:
                (raw,) = StreamFramer().feed(line.recv(65_535))
                request = Message.parse(raw)
                assert isinstance(request, Request)
                line.sendall(Response.to_request(request, 200).serialize())

    def close(self) -> None:
        self._thread.join()


@pytest.mark.parametrize(
    ("proxy", "name", "is_ended"),
    [
        ("sbc.example:5061", "sbc.example", True),
        ("sbc.example", "sbc.example", True),
        ("sbc.example:5061", "other.example", False),
        (None, "sbc.example", False),
        (None, "", True),
        ("127.9.9.9:5061", "", True),
    ],
)
def test_over_tls_it_trusts_whom_the_phone_trusted(
    tmp_path: Path, proxy: str | None, name: str, is_ended: bool
) -> None:
    """An SBC's certificate is made out to its name, and its messages, and the log, have an address."""
    authority = Authority(tmp_path)
    far = TlsFarEnd(authority, name)
    local = f"{fresh_address()}:0"
    texts: tuple[tuple[Direction, str], ...] = (
        ("sent", INVITE.replace("SIP/2.0/UDP", "SIP/2.0/TLS")),
        ("received", answer(200).replace("127.0.0.2:5060", far.address)),
    )
    messages = [
        sip_message(direction, text, at=0.0, local=local, remote=far.address, transport="tls")
        for direction, text in texts
    ]
    phone = config(local, transport="tls", proxy=proxy, tls=TlsConfig(ca_file=authority.ca_file))
    try:
        assert hang_up(phone, "p.1", messages, lambda _: None) is is_ended
    finally:
        far.close()
    assert far.asked_for == ["sbc.example" if proxy and "sbc" in proxy else None]


def test_all_who_had_calls_at_one_port_end_them_from_there(peer: SipPeer) -> None:
    """As when the process of a shared phone dies: each of its cases learns of it at once."""
    local = f"{fresh_address()}:5060"
    with ThreadPoolExecutor(2) as threads:
        ended = [
            threads.submit(hang_up, config(local), "p.1", answered_call(local, peer.address, call_id), lambda _: None)
            for call_id in ("one", "other")
        ]
        first = peer.request("BYE")
        assert not wait(ended, 0.3, FIRST_COMPLETED).done, "the other waits for the port"
        sources = [peer.peer]
        peer.respond(first, 200)
        second = peer.request("BYE")
        sources.append(peer.peer)
        peer.respond(second, 200)
        assert [each.result() for each in ended] == [True, True]
    assert {first.call_id, second.call_id} == {"one", "other"}
    assert {f"{host}:{port}" for host, port in sources} == {local}


@pytest.mark.parametrize("crossed", [False, True])
def test_behind_a_router_it_is_ended_from_this_machine_and_the_router_is_named(peer: SipPeer, crossed: bool) -> None:
    """Nobody here can bind to what Via names; rport brings the answer back all the same (RFC 3581)."""
    with contextlib.closing(SipPeer(fresh_address())) as phone:
        port, own = phone.port, config(phone.address, public_address=OUTSIDE)
    messages = answered_call(f"{OUTSIDE}:{port}", peer.address)[: 1 if crossed else 2]
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(hang_up, own, "p.1", messages, lambda _: None)
        if crossed:
            peer.respond(peer.request("CANCEL"), 200)
            invite = Message.parse(INVITE)
            assert isinstance(invite, Request)
            peer.respond(invite, 200, [("Contact", f"<sip:b@{peer.address}>")])
        bye = peer.request("BYE")
        peer.respond(bye, 200)
        assert ended.result()
    assert peer.peer == (own.bind_address, port)
    assert (bye.via.host, bye.via.port) == (OUTSIDE, port)
