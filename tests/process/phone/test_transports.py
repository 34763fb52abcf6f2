"""Calls over TCP and TLS, and certificates that must not be accepted."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from harness.case.events import TlsHandshake
from harness.phone import TlsConfig
from harness.phone.config import system_authorities
from tests.loopback import fresh_address
from tests.process.phone.conftest import Authority, Desk, connect, event_of, hears, uri_of

BEHIND_A_ROUTER = {"public_address": "203.0.113.5"}  # RFC 5737
ANYWHERE = {"bind_address": "0.0.0.0"}


def test_pjsip_reads_the_systems_authorities(
    lease: Desk, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The list has one more authority, that of the called server. pjsip does not look for the list
    by itself.
    """
    own = tmp_path / "list.pem"
    usual = system_authorities()
    own.write_bytes(
        (Path(usual).read_bytes() if usual else b"") + Path(authority.ca_file).read_bytes()
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    alice = lease("alice", transport="tls", tls=TlsConfig(ca_file=system_authorities()))
    bob = lease("bob", **authority.settings("tls"))
    out, back = connect(alice, bob)
    hears(out, back)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_callee_may_trust_many_authorities(
    lease: Desk, authority: Authority, tmp_path: Path, trusted: bool
) -> None:
    """For example a stand-in that trusts the system's list. pjsip would list them all in a
    handshake, for which it has 8 kB.
    """
    many = tmp_path / "list.pem"
    others = (
        Authority(tmp_path, f"{number:03} of the many authorities that a system trusts as it came")
        for number in range(120)
    )
    chosen = [*others, authority] if trusted else [*others]
    many.write_bytes(b"".join(Path(each.ca_file).read_bytes() for each in chosen))
    server = fresh_address()
    shown = replace(authority.server(server), ca_file=str(many))
    alice = lease("alice", transport="tls", tls=TlsConfig(ca_file=authority.ca_file))
    bob = lease("bob", transport="tls", bind_address=server, tls=shown)
    out, back = connect(alice, bob)
    hears(out, back)
    out.hangup()
    back.wait_state("disconnected", 10)
    carol = lease("carol", **authority.settings("tls"))
    if trusted:
        hears(*connect(bob, carol))
    else:
        assert bob.dial(uri_of(carol)).wait_state("disconnected", 10).code == 503


@pytest.mark.parametrize("place", [{}, BEHIND_A_ROUTER, ANYWHERE])
def test_a_failed_handshake_is_reported(
    lease: Desk, authority: Authority, place: dict[str, str]
) -> None:
    server = fresh_address()
    bob = lease(
        "bob", transport="tls", tls=authority.server(server), **{"bind_address": server} | place
    )
    with socket.create_connection((server, int(bob.address.rpartition(":")[2]))) as comer:
        comer.sendall(b"OPTIONS sip:b SIP/2.0\r\n")
        shown = event_of(bob, TlsHandshake, failed=True)
        assert shown.remote == "{}:{}".format(*comer.getsockname())
