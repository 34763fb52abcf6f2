"""What softphones offer and take on TLS: ECDHE with AES-GCM, though the wheel's OpenSSL has more."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

import pytest

from harness.case.events import TransportFailed
from harness.phone import TlsConfig
from harness.phone.config import TLS13_CIPHERS, TLS_CIPHERS
from tests.loopback import fresh_address
from tests.process.phone.conftest import Authority, Desk, event_of

SCSV = 0x00FF  # no cipher: secure renegotiation (RFC 5746 section 3.3)


def offered(listener: socket.socket) -> set[int]:
    """The ciphers of the ClientHello of the next connection (RFC 5246 section 7.4.1.2)."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        kind, _, size = struct.unpack("!BHH", stream.read(5))
        hello = stream.read(size)
    assert (kind, hello[0]) == (22, 1)
    at = 4 + 2 + 32  # type and length, version, random
    at += 1 + hello[at]  # session id
    (length,) = struct.unpack_from("!H", hello, at)
    return set(struct.unpack_from(f"!{length // 2}H", hello, at + 2))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((fresh_address(), 0)) as listener:
        listener.settimeout(20)
        yield listener


@pytest.mark.parametrize("with_certificate", [True, False])
def test_phone_offers_ecdhe_with_aes_gcm_only(
    lease: Desk,
    authority: Authority,
    listener: socket.socket,
    with_certificate: bool,
) -> None:
    alone = {"transport": "tls", "tls": TlsConfig(ca_file=authority.ca_file)}
    alice = lease("alice", **(authority.settings("tls") if with_certificate else alone))
    alice.dial("sip:b@{}:{}".format(*listener.getsockname()))
    found = offered(listener) - {SCSV}
    assert set(TLS_CIPHERS.values()) <= found
    assert found <= {*TLS_CIPHERS.values(), *TLS13_CIPHERS.values()}


GOOD = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", False),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", False),
    ("ECDHE-RSA-AES128-GCM-SHA256", True),
    ("ECDHE-RSA-AES256-GCM-SHA384", True),
]
BAD = [
    ("AES128-GCM-SHA256", True),  # static RSA
    ("AES256-SHA", True),
    ("ECDHE-RSA-AES128-SHA", True),  # CBC and SHA-1
    ("ECDHE-RSA-AES256-SHA384", True),  # CBC
    ("ECDHE-ECDSA-AES256-SHA", False),
    ("ECDHE-ECDSA-AES128-SHA256", False),
]


@pytest.mark.parametrize(("cipher", "rsa_key"), [*GOOD, *BAD])
def test_phone_takes_connections_with_ecdhe_and_aes_gcm_only(
    lease: Desk, authority: Authority, cipher: str, rsa_key: bool
) -> None:
    server = fresh_address()
    shown = authority.server(server, rsa_key=rsa_key)
    bob = lease("bob", transport="tls", bind_address=server, tls=shown)
    context = only(ssl.create_default_context(cafile=authority.ca_file), cipher)
    place = (server, int(bob.address.rpartition(":")[2]))
    with socket.create_connection(place, timeout=20) as comer:
        if (cipher, rsa_key) in BAD:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(comer, server_hostname=server)
            return
        with context.wrap_socket(comer, server_hostname=server) as session:
            assert session.cipher() == (cipher, "TLSv1.2", int(cipher.split("AES")[1][:3]))


@pytest.mark.parametrize(("cipher", "rsa_key"), [*GOOD, *BAD])
def test_phone_calls_a_server_with_ecdhe_and_aes_gcm_only(
    lease: Desk, authority: Authority, listener: socket.socket, cipher: str, rsa_key: bool
) -> None:
    host, port = listener.getsockname()
    shown = authority.server(host, rsa_key=rsa_key)
    context = only(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cipher)
    assert shown.certificate is not None
    context.load_cert_chain(shown.certificate, shown.private_key)
    alice = lease("alice", transport="tls", tls=TlsConfig(ca_file=authority.ca_file))
    leg = alice.dial(f"sip:b@{host}:{port}")
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(20)
        if (cipher, rsa_key) in BAD:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(connection, server_side=True)
            assert leg.wait_state("disconnected", 10).code == 503
            event_of(alice, TransportFailed)
            return
        with context.wrap_socket(connection, server_side=True) as session:
            assert session.recv(7) == b"INVITE "


def only(context: ssl.SSLContext, cipher: str) -> ssl.SSLContext:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    return context
