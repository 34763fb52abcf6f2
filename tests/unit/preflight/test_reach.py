"""Ports and certificates."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from typing import Any

import pytest

from harness.errors import ResourceError
from harness.run.preflight import ProbeKind
from tests.loopback import fresh_address
from tests.unit.preflight.conftest import FAILED, OK, SOON, WARNING, check

TRUNK = "Registration fails"
CHAIN, NAME, EXPIRY = ProbeKind.CHAIN, ProbeKind.CERTIFICATE_NAME, ProbeKind.EXPIRY
TLS13 = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)


def test_port_is_open_or_refused(lab: Any, far: Any) -> None:
    lab.account.update({"transport": "tcp", "port": far.stream()})
    check(lab.line("port"), OK, "open")
    lab.account["port"] = far.closed_port()
    check(lab.line("port"), FAILED, "refused", "firewall")
    lab.account.update({"transport": "udp", "port": far.udp()})
    lab.trunk.update(
        {"ai": "synthflow", "transport": "tcp", "host": far.address, "port": far.closed_port()}
    )
    check(lab.line("port"), WARNING, "from here", "32681", row=TRUNK)


def test_port_that_drops_connections_fails(lab: Any, far: Any) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((far.address, 0))
        listener.listen(0)  # with a full backlog further SYNs stay unanswered, as with a firewall
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        lab.account.update({"transport": "tcp", "port": listener.getsockname()[1]})
        check(lab.line("port", **SOON), FAILED, "dropped", "firewall")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_missing_local_resources_are_an_error(
    lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    lab.account.update(
        {"transport": transport, "port": far.udp() if transport == "udp" else far.stream()}
    )

    async def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(asyncio.SelectorEventLoop, "create_connection", fails)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "create_datagram_endpoint", fails)
    with pytest.raises(ResourceError, match=os.strerror(errno.EMFILE)):
        lab.report()


def test_probes_use_the_accounts_bind_address(lab: Any, far: Any) -> None:
    """A firewall may admit that address only."""
    context, sources = far.certificate(), set[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sources.add(writer.get_extra_info("peername")[0])
        writer.transport.abort()

    lab.account.update(
        {"transport": "tls", "port": far._serve(serve, context), "bind": fresh_address()}
    )
    lines = [
        line
        for line in lab.report(**SOON).lines
        if line.name.startswith(("port", "TLS", "OPTIONS"))
    ]
    assert len(lines) == 3
    assert sources == {lab.account["bind"]}


def tls(lab: Any, far: Any, context: ssl.SSLContext) -> dict[ProbeKind, Any]:
    lab.account.update({"transport": "tls", "port": far.stream(context=context)})
    of_tls = (ProbeKind.TLS, CHAIN, NAME, EXPIRY)
    return {look: line for look, line in lab.lines().items() if look in of_tls}


@pytest.mark.parametrize(
    ("wrong", "options", "status", "said", "fix"),
    [
        (None, {}, OK, "", ""),
        (CHAIN, {"signed_by": "stranger"}, FAILED, "issuer CN=stranger", "ca_file"),
        (CHAIN, {"signed_by": "self"}, FAILED, "signed by itself", "ca_file"),
        (NAME, {"names": ("sip.other.example",)}, FAILED, "made out to sip.other.example", "host"),
        (NAME, {"names": ()}, FAILED, "made out to server", "host"),
        (EXPIRY, {"days": -1, "starts": -90}, FAILED, "expired on", "Renew"),
        (EXPIRY, {"days": 30, "starts": 5}, FAILED, "valid from", "clock"),
        (EXPIRY, {"days": 5}, WARNING, "4 days left", "Renew"),
    ],
)
def test_bad_certificate_fails_one_line(
    lab: Any,
    far: Any,
    wrong: ProbeKind | None,
    options: dict[str, Any],
    status: Any,
    said: str,
    fix: str,
) -> None:
    lines = tls(lab, far, far.certificate(**options))
    assert lines[ProbeKind.TLS].detail == "TLSv1.2, ECDHE-ECDSA-AES256-GCM-SHA384"
    assert [look for look, line in lines.items() if line.status is not OK] == (
        [wrong] if wrong else []
    )
    if wrong:
        check(lines[wrong], status, said, fix)


def test_tls_1_3_only_server_fails(lab: Any, far: Any) -> None:
    lines = tls(lab, far, far.certificate(versions=TLS13))
    assert list(lines) == [ProbeKind.TLS]
    said = "not with TLS 1.2 with ECDHE and AES-GCM, which the softphones offer, but with TLSv1.3, "
    check(lines[ProbeKind.TLS], FAILED, said, "Allow TLS 1.2")


@pytest.mark.parametrize(
    ("cipher", "rsa_key"),
    [
        ("ECDHE-ECDSA-AES256-SHA", False),
        ("ECDHE-ECDSA-AES128-SHA256", False),
        ("AES128-SHA", True),
        ("AES256-GCM-SHA384", True),
    ],
)
def test_server_without_a_cipher_of_the_softphones_fails(
    lab: Any, far: Any, cipher: str, rsa_key: bool
) -> None:
    context = far.certificate(rsa_key=rsa_key)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    lines = tls(lab, far, context)
    assert list(lines) == [ProbeKind.TLS]
    check(lines[ProbeKind.TLS], FAILED, f"but with TLSv1.2, {cipher}", "ECDHE and AES-GCM")


@pytest.mark.parametrize(
    ("cipher", "rsa_key"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", False),
        ("ECDHE-RSA-AES128-GCM-SHA256", True),
        ("ECDHE-RSA-AES256-GCM-SHA384", True),
    ],
)
def test_negotiated_protocol_and_cipher_are_named(
    lab: Any, far: Any, cipher: str, rsa_key: bool
) -> None:
    context = far.certificate(rsa_key=rsa_key)
    context.set_ciphers(cipher)
    check(tls(lab, far, context)[ProbeKind.TLS], OK, f"TLSv1.2, {cipher}")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_missing_client_certificate_is_named(lab: Any, far: Any, newest: ssl.TLSVersion) -> None:
    """With TLS 1.3 the handshake ends before the server checks the client's certificate."""
    context = far.certificate(versions=(ssl.TLSVersion.TLSv1_2, newest), is_mutual=True)
    check(tls(lab, far, context)[ProbeKind.TLS], FAILED, "no handshake", "client's certificate")
    check(lab.line("OPTIONS"), FAILED, "the connection", "hangs up")


COMMON_NAME, WILDCARD = (
    {"names": (), "common_name": "sip.acme.example"},
    {"names": ("*.acme.example",)},
)


@pytest.mark.parametrize(
    ("certificate", "called_by", "status", "said", "fix"),
    [
        # as Asterisk's ast_tls_cert makes it; RFC 5922 section 7.1 leaves it to the client, and the
        # softphones accept it
        (COMMON_NAME, "the phones", OK, "made out to sip.acme.example", ""),
        (COMMON_NAME, "the platform", WARNING, "common name alone", "known to accept it"),
        # with an alternative name the common name does not count (RFC 5922 section 7.1)
        (
            COMMON_NAME | {"names": ("other.example",)},
            "the phones",
            FAILED,
            "made out to other.example",
            "host",
        ),
        # RFC 5922 section 7.2: pjsip refuses wildcards; whether another platform does is unknown
        (WILDCARD, "the phones", FAILED, "softphones refuse it", "to sip.acme.example"),
        (WILDCARD, "the platform", WARNING, "*.acme.example", "unless"),
        # a Termination URI is the SBC's "hostname or IP address" (Talkdesk's guide)
        (
            {"names": ("sbc-7.acme.example",)},
            "the AI",
            WARNING,
            "made out to sbc-7.acme.example",
            "unless its callers",
        ),
    ],
)
def test_certificate_name_rule_depends_on_the_caller(
    lab: Any,
    far: Any,
    certificate: dict[str, Any],
    called_by: str,
    status: Any,
    said: str,
    fix: str,
) -> None:
    lab.resolves({("sip.acme.example", "A"): [far.address]})
    at = {
        "host": "sip.acme.example",
        "transport": "tls",
        "port": far.tls(**certificate),
    }
    if called_by == "the phones":
        lab.account.update(at)
    else:
        lab.trunk.update(at | {"ai": "synthflow"})
    if called_by == "the AI":
        lab.trunk.update(
            {"host": "127.9.9.200", "port": 32682, "termination": f"sip.acme.example:{at['port']}"}
        )
    check(lab.line("certificate name"), status, said, fix)


@pytest.mark.parametrize("mutual", [False, True])
def test_platform_only_port_need_not_suit_the_softphones(lab: Any, far: Any, mutual: bool) -> None:
    """The AI may speak only TLS 1.3, or require a certificate of the platform."""
    context = far.certificate(is_mutual=True) if mutual else far.certificate(versions=TLS13)
    port = far.stream(context=context)
    lab.trunk.update({"ai": "synthflow", "host": far.address, "transport": "tls", "port": port})
    lines = {line.look: line for line in lab.report().lines if f":{port}/" in line.subject}
    if mutual:
        assert not [line for line in lines.values() if line.status is FAILED]
        check(
            lines[ProbeKind.TLS],
            WARNING,
            "from here: no handshake",
            "The platform has to reach",
        )
    else:
        assert {lines[look].status for look in (ProbeKind.TLS, CHAIN, NAME, EXPIRY)} == {OK}


@pytest.mark.parametrize(("is_public", "status"), [(True, OK), (False, WARNING)])
def test_ai_certificate_is_checked_against_public_authorities(
    lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch, is_public: bool, status: Any
) -> None:
    far._authority("stranger")
    if is_public:  # the system's list, as OpenSSL has it
        monkeypatch.setenv("SSL_CERT_FILE", far.ca_file)
    lab.plain["ca_file"] = str(far.directory / "stranger.pem")
    port = far.tls()
    lab.trunk.update({"ai": "synthflow", "host": far.address, "transport": "tls", "port": port})
    assert lab.lines()[CHAIN].status is status
