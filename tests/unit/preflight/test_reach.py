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
from harness.run.preflight import ProbeKind, ProbeResult
from harness.witness.ports.certificates import matches
from tests.loopback import fresh_address
from tests.unit.preflight.conftest import SOON
from tests.unit.preflight.probing import FAILED, OK, WARNING, check, registrar


def test_ports(lab: Any, far: Any) -> None:
    lab.account.update({"transport": "tcp", "port": far.stream()})
    check(lab.line("port"), OK, "open")
    lab.account["port"] = far.closed_port()
    check(lab.line("port"), FAILED, "refused", "Registration fails", "firewall")


def test_a_port_that_drops_connections(lab: Any, far: Any) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind((far.address, 0))
        listener.listen(0)  # a full backlog leaves further SYNs unanswered, as a firewall does
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        lab.account.update({"transport": "tcp", "port": listener.getsockname()[1]})
        check(lab.line("port", **SOON), FAILED, "dropped", "Registration fails", "firewall")


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("lacking", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS])
def test_what_this_machine_lacks_speaks_against_nobody(
    lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch, transport: str, lacking: int
) -> None:
    lab.account.update({"transport": transport, "port": far.udp() if transport == "udp" else far.stream()})

    async def fails(*_: object, **__: object) -> None:
        raise OSError(lacking, os.strerror(lacking))

    monkeypatch.setattr(asyncio, "open_connection", fails)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "create_datagram_endpoint", fails)
    with pytest.raises(ResourceError, match=os.strerror(lacking)):
        lab.report()


def test_the_ais_port_closed_to_outsiders_is_a_warning(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "transport": "tcp", "host": far.address, "port": far.closed_port()})
    check(lab.line("port"), WARNING, "from here", "Calls not reaching Synthflow", "32681")


def tls(lab: Any, far: Any, context: ssl.SSLContext) -> dict[str, ProbeResult]:
    lab.account.update({"transport": "tls", "port": far.stream(context=context)})
    lab.plain["ca_file"] = far.ca_file
    names = ("TLS", "certificate chain", "certificate name", "certificate expiry")
    return {n: line for line in lab.report().lines for n in names if line.name.startswith(n)}


def test_a_server_is_looked_at_from_the_address_that_calls_come_from(lab: Any, far: Any) -> None:
    """Its firewall may let that one through alone."""
    context, sources = far.certificate(), set[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sources.add(writer.get_extra_info("peername")[0])
        writer.transport.abort()

    lab.account.update({"transport": "tls", "port": far._serve(serve, context), "bind": fresh_address()})
    lab.plain["ca_file"] = far.ca_file
    lines = [line for line in lab.report(**SOON).lines if line.name.startswith(("port", "TLS", "OPTIONS"))]
    assert len(lines) == 3
    assert sources == {lab.account["bind"]}


def test_a_good_certificate(lab: Any, far: Any) -> None:
    lines = tls(lab, far, far.certificate())
    assert [line.status for line in lines.values()] == [OK] * 4
    assert lines["TLS"].detail == "TLSv1.2"


@pytest.mark.parametrize(
    ("wrong", "options", "said", "fix"),
    [
        ("certificate chain", {"signed_by": "stranger"}, "issuer CN=stranger", "ca_file"),
        ("certificate chain", {"signed_by": "self"}, "signed by itself", "ca_file"),
        ("certificate name", {"names": ("sip.other.example",)}, "made out to sip.other.example", "host"),
        ("certificate name", {"names": ()}, "made out to server", "host"),
        ("certificate expiry", {"days": -1, "starts": -90}, "expired on", "Renew"),
        ("certificate expiry", {"days": 30, "starts": 5}, "valid from", "clock"),
    ],
)
def test_bad_certificates_are_wrong_in_one_line_each(
    lab: Any, far: Any, wrong: str, options: dict[str, Any], said: str, fix: str
) -> None:
    lines = tls(lab, far, far.certificate(**options))
    check(lines[wrong], FAILED, said, "Registration fails", fix)
    assert [name for name, line in lines.items() if line.status is not OK] == [wrong]


def test_a_certificate_that_ends_soon(lab: Any, far: Any) -> None:
    check(
        tls(lab, far, far.certificate(days=5))["certificate expiry"],
        WARNING,
        "4 days left",
        "Registration fails",
        "Renew",
    )


def test_a_server_that_is_too_new_for_the_softphones(lab: Any, far: Any) -> None:
    newest = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
    lines = tls(lab, far, far.certificate(versions=newest))
    check(lines["TLS"], FAILED, "only TLSv1.3", "Registration fails", "TLS 1.2")
    assert list(lines) == ["TLS"]


def test_a_port_that_speaks_no_tls(lab: Any, far: Any) -> None:
    lab.account.update({"transport": "tls", "port": far.stream()})
    check(lab.line("TLS"), FAILED, "handshake", "Registration fails", "32682")


@pytest.mark.parametrize(
    ("host", "name", "matching"),
    [
        ("sip.acme.example", "sip.acme.example", True),
        ("SIP.acme.example.", "sip.ACME.example", True),
        ("sip.acme.example", "*.acme.example", False),
        ("a.sip.acme.example", "*.acme.example", False),
        ("acme.example", "*.acme.example", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("[::1]", "0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", "*.0.0.1", False),
    ],
)
def test_names_of_certificates(host: str, name: str, matching: bool) -> None:
    assert matches(host, name) is matching


@pytest.mark.parametrize("by_phones", [True, False])
def test_a_common_name_is_the_name_where_there_is_no_other(lab: Any, far: Any, by_phones: bool) -> None:
    """As of a certificate of Asterisk's ast_tls_cert. RFC 5922 section 7.1 leaves it to who looks; the softphones take it."""
    lab.settings["resolver"] = far.dns({("sip.acme.example", "A"): [far.address]})
    lab.plain["ca_file"] = far.ca_file
    context = far.certificate(names=(), common_name="sip.acme.example")
    if by_phones:
        port = far.stream(registrar(), context)
        lab.account.update({"host": "sip.acme.example", "transport": "tls", "port": port})
        check(lab.line("certificate name"), OK, "made out to sip.acme.example")
        check(lab.line("registration"), OK, "digest accepted")
    else:
        lab.account["port"] = far.udp()
        port = far.stream(context=context)
        lab.trunk.update({"ai": "synthflow", "host": "sip.acme.example", "transport": "tls", "port": port})
        check(lab.line("certificate name"), WARNING, "common name alone", "Registration fails", "known to accept it")


@pytest.mark.parametrize("by_phones", [True, False])
def test_a_wildcard_is_nobodys_name_in_sip(lab: Any, far: Any, by_phones: bool) -> None:
    """RFC 5922 section 7.2; pjsip has no connection with such a server. Whether another platform has, nobody knows from here."""
    lab.settings["resolver"] = far.dns({("sip.acme.example", "A"): [far.address]})
    lab.plain["ca_file"] = far.ca_file
    port = far.stream(context=far.certificate(names=("*.acme.example",)))
    if by_phones:
        lab.account.update({"host": "sip.acme.example", "transport": "tls", "port": port})
        check(lab.line("certificate name"), FAILED, "softphones refuse it", "Registration fails", "to sip.acme.example")
    else:
        lab.account["port"] = far.udp()
        lab.trunk.update({"ai": "synthflow", "host": "sip.acme.example", "transport": "tls", "port": port})
        check(lab.line("certificate name"), WARNING, "*.acme.example", "Registration fails", "unless")


@pytest.mark.parametrize("by_name", [False, True])
def test_a_name_that_only_others_would_look_at_ends_no_run(lab: Any, far: Any, by_name: bool) -> None:
    """A Termination URI is the SBC's "hostname or IP address" (Talkdesk's guide): a certificate is seldom made out to that."""
    lab.settings["resolver"] = far.dns({("sip.acme.example", "A"): [far.address]})
    lab.plain["ca_file"] = far.ca_file
    lab.account["port"] = far.udp()
    port = far.stream(context=far.certificate(names=("sbc-7.acme.example",)))
    end = f"{'sip.acme.example' if by_name else far.address}:{port}"
    lab.trunk.update({"ai": "synthflow", "host": "127.9.9.200", "transport": "tls", "port": 32682, "termination": end})
    said = f"made out to sbc-7.acme.example, not to {end.partition(':')[0]}"
    check(lab.line("certificate name"), WARNING, said, "Registration fails", "unless its callers")


@pytest.mark.parametrize("mutual", [False, True])
def test_what_only_the_platform_calls_need_not_suit_our_softphones(lab: Any, far: Any, mutual: bool) -> None:
    """The AI may speak TLS 1.3 alone, or ask the platform for a certificate: a run need not end for that."""
    lab.settings["resolver"] = far.dns({("sip.acme.example", "A"): [far.address]})
    lab.plain["ca_file"] = far.ca_file
    versions = (ssl.TLSVersion.TLSv1_2 if mutual else ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
    context = far.certificate(names=("sip.acme.example",), versions=versions)
    if mutual:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(far.ca_file)
    lab.account["port"] = far.udp()
    lab.trunk.update(
        {"ai": "synthflow", "host": "sip.acme.example", "transport": "tls", "port": far.stream(context=context)}
    )
    lines = {str(line.look): line for line in lab.report().lines if "sip.acme.example" in line.subject}
    assert not [line for line in lines.values() if line.status is FAILED]
    if mutual:
        check(
            lines["TLS"],
            WARNING,
            "from here: no handshake",
            "Calls not reaching Synthflow",
            "The platform has to reach",
        )
    else:
        looked = ("TLS", "certificate chain", "certificate name", "certificate expiry")
        assert {lines[name].status for name in looked} == {OK}


@pytest.mark.parametrize(("is_public", "status"), [(True, OK), (False, WARNING)])
def test_the_authority_of_the_platforms_sbc_need_not_be_the_ais(
    lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch, is_public: bool, status: Any
) -> None:
    """A company's own authority, in ca_file, is no reason to end a run that calls a public AI behind the SBC."""
    far._authority("stranger")
    if is_public:  # the system's list, as OpenSSL has it
        monkeypatch.setenv("SSL_CERT_FILE", far.ca_file)
    lab.account["port"] = far.udp()
    lab.plain["ca_file"] = str(far.directory / "stranger.pem")
    port = far.stream(context=far.certificate())
    lab.trunk.update({"ai": "synthflow", "host": far.address, "transport": "tls", "port": port})
    line = next(line for line in lab.report().lines if line.look is ProbeKind.CHAIN)
    assert line.status is status, line


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_clients_certificate_is_not_too_new(lab: Any, far: Any, newest: ssl.TLSVersion) -> None:
    """At TLS 1.3 a client is through before the server has looked for its certificate."""
    context = far.certificate(versions=(ssl.TLSVersion.TLSv1_2, newest))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(far.ca_file)
    lines = tls(lab, far, context)
    check(lines["TLS"], FAILED, "no handshake", "Registration fails", "client's certificate")
    check(lab.line("OPTIONS"), FAILED, "the connection", "Registration fails", "hangs up")
