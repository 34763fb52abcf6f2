"""Calls over TCP and TLS, and connections that fail."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from harness.case.events import TlsHandshake, TransportFailed
from harness.errors import ResourceError
from harness.phone import TlsConfig
from tests.loopback import fresh_address
from tests.phones import Authority, Desk, connect, event_of, hears, uri_of


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_calls_over_streams(lease: Desk, authority: Authority, transport: str) -> None:
    alice, bob = (lease(name, **authority.settings(transport)) for name in ("alice", "bob"))
    out, back = connect(alice, bob)
    hears(out, back)
    hears(back, out)
    assert f";transport={transport}" in out.invite.text.split("\r\n")[0]
    host = alice.address.rpartition(":")[0]
    assert f"Via: SIP/2.0/{transport.upper()} {host}:" in out.invite.text
    assert f"Contact: <sip:{alice.config.user}@{alice.address};" in out.invite.text
    back.hangup()  # comes over the connection that the caller opened
    out.wait_state("disconnected", 10)
    for leg in (out, back):
        leg.wait_closed(10)
    assert {message.transport for message in (*out.messages, *back.messages)} == {transport}
    assert {message.local.split(":")[0] for message in out.messages} == {alice.config.bind_address}
    ways = [
        {(m.local, m.remote) for m in out.messages},
        {(m.remote, m.local) for m in back.messages},
    ]
    assert ways[0] == ways[1], "both ends report the same connection"


def test_a_tls_caller_needs_no_certificate_and_its_handshake_is_reported(
    lease: Desk, authority: Authority
) -> None:
    alice = lease("alice", transport="tls", tls=TlsConfig(ca_file=authority.ca_file))
    bob = lease("bob", **authority.settings("tls"))
    hears(*connect(alice, bob))
    shown = event_of(bob, TlsHandshake)
    assert not shown.failed


CERTIFICATES: dict[str, Callable[[Authority, str], TlsConfig]] = {
    "expired": lambda authority, server: authority.server(server, days=(-9, -1)),
    "self-signed": lambda authority, server: authority.server(server, self_signed=True),
    "wrong-name": lambda authority, server: authority.server("127.9.9.9"),
}


@pytest.mark.parametrize("fault", CERTIFICATES)
@pytest.mark.parametrize("verify", [True, False], ids=["verified", "not-verified"])
def test_a_bad_certificate_is_refused_unless_verification_is_waived(
    lease: Desk, authority: Authority, fault: str, verify: bool
) -> None:
    server = fresh_address()
    alice = lease("alice", transport="tls", tls=TlsConfig(ca_file=authority.ca_file, verify=verify))
    bob = lease(
        "bob", transport="tls", bind_address=server, tls=CERTIFICATES[fault](authority, server)
    )
    if not verify:
        hears(*connect(alice, bob))
        return
    assert alice.dial(uri_of(bob)).wait_state("disconnected", 10).code == 503
    failed = event_of(alice, TransportFailed)
    assert (failed.transport, failed.remote) == ("tls", bob.address)
    assert bob.incoming == []


def test_a_refused_connection_is_reported_at_once(lease: Desk) -> None:
    alice, bob = lease("alice", transport="tcp"), lease("bob", transport="tcp")
    bob.release()
    assert alice.dial(uri_of(bob)).wait_state("disconnected", 10).code == 503
    failed = event_of(alice, TransportFailed)
    assert (failed.transport, failed.remote) == ("tcp", bob.address)
    assert "refused" in failed.reason


def test_a_mute_stun_server_is_a_resource_error(lease: Desk) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((fresh_address(), 0))
        with pytest.raises(ResourceError, match="STUN server"):
            lease("alice", stun_server="{}:{}".format(*mute.getsockname()))
