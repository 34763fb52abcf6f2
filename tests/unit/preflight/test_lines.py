"""Every line of the preflight, right and wrong: on far ends made wrong for it."""

from __future__ import annotations

import datetime
import email.utils
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from harness.preflight import ProbeKind, ProbeResult, Status
from harness.preflight.answers import codecs_of
from harness.preflight.certificates import matches
from harness.preflight.machine import secret_line, stun_address
from harness.sip.digest import DigestServer
from harness.sip.message import Request, Response
from tests.unit.preflight.conftest import SOON

OK, WARNING, FAILED = Status.OK, Status.WARNING, Status.FAILED
HOUR = 3600.0


def says(
    status: int, *headers: tuple[str, str], body: str = "", reason: str | None = None
) -> Callable[[Request], Response]:
    return lambda request: Response.to_request(request, status, reason, tag="far", headers=headers, body=body)


def silent(request: Request) -> None:
    return None


def check(line: ProbeResult, status: Status, detail: str, row: str = "", fix: str = "") -> None:
    assert line.status is status, line
    assert detail in line.detail, line
    assert row in line.row, line
    assert fix in line.fix, line
    if status is not OK:
        assert line.row, "a line that is not ok names the guide's row"
        assert line.fix, "and what to do"


# -- OPTIONS


def test_an_answer_and_its_time(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    check(lab.line("OPTIONS"), OK, "200 OK")
    request = next(r for r in far.requests if r.method == "OPTIONS")
    assert "rport" in request.via.params
    assert request.get("Accept") == "application/sdp"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_silence_is_told_from_a_refusal(lab: Any, far: Any, transport: str) -> None:
    lab.account["transport"] = transport
    lab.plain["ca_file"] = far.ca_file
    context = far.certificate() if transport == "tls" else None
    lab.account["port"] = far.udp(silent) if transport == "udp" else far.stream(silent, context)
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer within 0.4 s", "Registration fails", "firewall")
    lab.account["port"] = far.udp(says(403)) if transport == "udp" else far.stream(says(403), context)
    check(lab.line("OPTIONS"), FAILED, "packets arrive, but", "Registration fails", "allowed IPs")
    lab.account["port"] = far.closed_port()
    check(lab.line("OPTIONS"), FAILED, "closed" if transport == "udp" else "refused", "Registration fails", "transport")


def test_other_answers_are_answers_too(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(says(404))
    check(lab.line("OPTIONS"), OK, "404")
    lab.account["port"] = far.udp(says(503))
    check(lab.line("OPTIONS"), WARNING, "503", "Registration fails", "operator")


def test_a_slow_answer(lab: Any, far: Any) -> None:
    lab.settings["patience"] = 3.0
    seen: set[str] = set()

    def late(request: Request) -> Response | None:
        # answers only what is sent again, after 0.5 s (timer E)
        if request.call_id not in seen:
            seen.add(request.call_id)
            return None
        return Response.to_request(request, 200, tag="far")

    lab.account["port"] = far.udp(late)
    check(lab.line("OPTIONS"), WARNING, "slow", "Registration fails", "region")


def test_a_connection_that_is_closed_without_an_answer(lab: Any, far: Any) -> None:
    lab.account.update({"transport": "tcp", "port": far.stream(hang_up=True)})
    check(lab.line("OPTIONS"), FAILED, "closed without an answer", "Registration fails")


def test_nonsense_is_no_answer(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(lambda request: b"HTTP/1.1 200 OK\r\n\r\n")
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer", "Registration fails")
    lab.account.update({"transport": "tcp", "port": far.stream(lambda request: b"\0\0\0 hello there\r\n\r\n")})
    check(lab.line("OPTIONS"), FAILED, "broke", "Registration fails")


def test_an_answer_to_somebody_else_is_not_taken(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(lambda r: Response.to_request(r, 200, tag="far").setting("Call-ID", "another"))
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer")


def test_the_ais_own_port_may_be_closed_to_outsiders(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(silent)})
    lines = [line for line in lab.report(**SOON).lines if line.name.startswith("OPTIONS")]
    assert [line.status for line in lines] == [OK, WARNING]
    check(lines[1], WARNING, "from here", "Calls not reaching Synthflow", "Only the platform has to reach it")


def test_a_bind_that_is_not_ours(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "bind": "192.0.2.1"})
    check(lab.line("OPTIONS"), FAILED, "192.0.2.1 is no address of this machine", fix="bind")


# -- clock


@pytest.mark.parametrize(
    ("skew", "status", "said"),
    [
        (0, OK, "the same"),
        (2.5, OK, "ahead"),
        (20, WARNING, "20 s ahead"),
        (-20, WARNING, "20 s behind"),
        (HOUR, FAILED, "3600 s"),
    ],
)
def test_the_far_ends_clock(lab: Any, far: Any, skew: float, status: Status, said: str) -> None:
    now = 1_800_000_000.0
    lab.settings["wall_clock"] = lambda: now
    date = email.utils.formatdate(round(now + skew), usegmt=True)
    lab.account["port"] = far.udp(says(200, ("Date", date)))
    line = lab.line("clock")
    assert line.status is status
    if skew != 2.5:
        check(line, status, said, "" if status is OK else "Registration fails", "" if status is OK else "NTP")


def test_a_date_nobody_can_read(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(says(200, ("Date", "yesterday, about noon")))
    check(lab.line("clock"), WARNING, "yesterday", "Registration fails", "Date")


# -- codecs

SDP = "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 0 RTP/AVP {}\r\n{}"


@pytest.mark.parametrize(
    ("types", "maps", "status", "said"),
    [
        ("0 8 101", "a=rtpmap:101 telephone-event/8000\r\n", OK, "PCMU, PCMA"),
        ("8", "", WARNING, "no PCMU"),
        ("96 9", "a=rtpmap:96 opus/48000/2\r\n", FAILED, "OPUS, G722: no G.711"),
        ("18", "", FAILED, "G729: no G.711"),
    ],
)
def test_codecs_offered(lab: Any, far: Any, types: str, maps: str, status: Status, said: str) -> None:
    answer = says(200, ("Content-Type", "application/sdp"), body=SDP.format(types, maps))
    lab.account["port"] = far.udp(answer)
    check(lab.line("codecs"), status, said, "" if status is OK else "One-way or no audio")


def test_codecs_that_are_not_told(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(says(200, ("Accept", "application/sdp")))
    check(lab.line("codecs"), OK, "not told (Accept: application/sdp)")
    assert codecs_of("v=0\r\n") == []


# -- the address the far end sees


def seen_as(address: str, port: str = "40000") -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        params = request.via.params.with_("received", address).with_("rport", port)
        response = Response.to_request(request, 200, tag="far")
        return response.with_top_via(
            type(request.via)(request.via.transport, request.via.host, request.via.port, params)
        )

    return answer


def test_address_translation(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    check(lab.line("address"), OK, "no address translation")
    lab.account["port"] = far.udp(seen_as("198.51.100.7"))
    check(
        lab.line("address"),
        WARNING,
        "is seen as 198.51.100.7",
        "One-way or no audio",
        'public_address = "198.51.100.7"',
    )
    lab.account["public_address"] = "198.51.100.7"
    check(lab.line("address"), OK, "the phones name 198.51.100.7")
    lab.account["public_address"] = "198.51.100.8"
    check(lab.line("address"), FAILED, "public_address says 198.51.100.8", "One-way or no audio", "198.51.100.7")


@pytest.mark.parametrize("via", ["", "nonsense"])
def test_an_answer_without_a_readable_via(lab: Any, far: Any, via: str) -> None:
    def answer(request: Request) -> Response:
        response = Response.to_request(request, 200, tag="far").without("Via")
        return response.adding("Via", via, top=True) if via else response

    lab.account["port"] = far.udp(answer)
    check(lab.line("address"), WARNING, "no readable Via", "One-way or no audio")


def test_stun(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "stun_server": far.stun(lambda source, which: ("198.51.100.7", 4000))})
    check(lab.line("STUN"), OK, "198.51.100.7:4000, one mapping for all destinations")
    lab.account["stun_server"] = far.stun(lambda source, which: ("198.51.100.7", 4000 + which))
    check(lab.line("STUN"), WARNING, "depends on the destination", "One-way or no audio", "public_address")
    lab.account["stun_server"] = far.stun(None)
    check(lab.line("STUN", **SOON), FAILED, "does not answer", "One-way or no audio", "stun_server")
    lab.account["stun_server"] = "stun.invalid:3478"
    lab.settings["resolver"] = far.dns({})
    check(lab.line("STUN"), FAILED, "no address", "One-way or no audio", "stun_server")


def test_stun_without_translation(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "bind": far.address, "stun_server": far.stun(lambda source, which: source)})
    check(lab.line("STUN"), OK, "no address translation")


@pytest.mark.parametrize(
    "answer", [b"", b"\x01\x01\0\x08" + b"x" * 28, b"\x01\x11" + b"\0" * 30, b"\x01\x01\0\0" + b"\0" * 16]
)
def test_stun_answers_that_are_none(answer: bytes) -> None:
    assert stun_address(answer, b"t" * 12) is None


# -- registration


def registrar(password: str | None = "right", **options: Any) -> Callable[[Request], Response]:
    server = DigestServer("carrier.example", {"+14155550101": password}.get, **options)

    def answer(request: Request) -> Response:
        if request.method != "REGISTER":
            return Response.to_request(request, 200, tag="far")
        if server.verify(request).accepted:
            return Response.to_request(request, 200, tag="far")
        return Response.to_request(request, server.status, tag="far", headers=[server.challenge()])

    return answer


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("proxy", [False, True])
def test_credentials_are_tried_and_nothing_is_registered(lab: Any, far: Any, algorithm: str, proxy: bool) -> None:
    lab.account["port"] = far.udp(registrar(algorithm=algorithm, proxy=proxy))
    check(lab.line("registration"), OK, "200 OK, digest accepted (realm carrier.example)")
    registers = [request for request in far.requests if request.method == "REGISTER"]
    assert len(registers) == 2
    assert not any(request.has("Contact") or request.has("Expires") for request in registers)
    assert [request.cseq.number for request in registers] == [1, 2]


def test_registration_refused(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(registrar("another"))
    check(
        lab.line("registration"),
        FAILED,
        "credentials of +14155550101 refused (realm carrier.example)",
        "Registration fails",
        "password",
    )
    lab.account["port"] = far.udp(says(403))
    check(lab.line("registration"), FAILED, "this address, before any password", "Registration fails", "allowed IPs")
    lab.account["port"] = far.udp(says(404))
    check(lab.line("registration"), FAILED, "does not know +14155550101", "Registration fails", "phones.caller")
    lab.account["port"] = far.udp(says(501))
    check(lab.line("registration"), WARNING, "no registrar", "Registration fails", "register = false")
    lab.account["port"] = far.udp(says(500))
    check(lab.line("registration"), WARNING, "500", "Registration fails", "operator")
    lab.account["port"] = far.udp(says(423))
    check(lab.line("registration"), OK, "longer interval")
    lab.account["port"] = far.udp(says(200))
    check(lab.line("registration"), OK, "without digest")
    lab.account["port"] = far.udp(silent)
    check(lab.line("registration", **SOON), FAILED, "no answer", "Registration fails", "firewall")


def test_a_403_after_the_password(lab: Any, far: Any) -> None:
    first = registrar("another")

    def answer(request: Request) -> Response:
        return Response.to_request(request, 403, tag="far") if request.has("Authorization") else first(request)

    lab.account["port"] = far.udp(answer)
    check(lab.line("registration"), FAILED, "these credentials (realm carrier.example) or this address", fix="password")


def test_a_password_that_is_asked_for_but_not_known(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(registrar())
    del lab.plain["phones"]["caller"]["password"]
    check(
        lab.line("registration"), FAILED, "a password is asked for", "Registration fails", "phones.caller.password_env"
    )


def test_the_stand_ins_own_number(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address}
    port = far.udp(registrar())
    lab.trunk.update({"termination": f"{far.address}:{port}", "username": "+14155550101", "password": "right"})
    check(lab.line("registration of trunk"), OK, "digest accepted")
    lab.trunk["password"] = "wrong"
    check(lab.line("registration of trunk"), FAILED, "refused", "Registration fails", "trunks.udp-ip")


# -- ports and certificates


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


def test_the_ais_port_closed_to_outsiders_is_a_warning(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "transport": "tcp", "host": far.address, "port": far.closed_port()})
    check(lab.line("port"), WARNING, "from here", "Calls not reaching Synthflow", "32681")


def tls(lab: Any, far: Any, context: ssl.SSLContext) -> dict[str, ProbeResult]:
    lab.account.update({"transport": "tls", "port": far.stream(context=context)})
    lab.plain["ca_file"] = far.ca_file
    names = ("TLS", "certificate chain", "certificate name", "certificate expiry")
    return {n: line for line in lab.report().lines for n in names if line.name.startswith(n)}


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
        ("certificate name", {"names": ()}, "CN=server", "host"),
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
        ("sip.acme.example", "*.acme.example", True),
        ("a.sip.acme.example", "*.acme.example", False),
        ("acme.example", "*.acme.example", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("[::1]", "0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", "*.0.0.1", False),
    ],
)
def test_names_of_certificates(host: str, name: str, matching: bool) -> None:
    assert matches(host, name) is matching


# -- DNS


def named(lab: Any, far: Any, zone: dict[tuple[str, str], list[str]], **options: Any) -> None:
    lab.account.update({"host": "sip.carrier.example", "port": far.udp()})
    lab.settings["resolver"] = far.dns(zone, **options)


def test_names_are_resolved(lab: Any, far: Any) -> None:
    named(lab, far, {("sip.carrier.example", "A"): [far.address], ("sip.carrier.example", "AAAA"): ["2001:db8::1"]})
    check(lab.line("DNS sip.carrier.example"), OK, f"A {far.address}, AAAA 2001:db8::1")
    check(lab.line("OPTIONS"), OK, "200")


def test_names_that_do_not_exist(lab: Any, far: Any) -> None:
    named(lab, far, {})
    check(
        lab.line("DNS sip.carrier.example"), FAILED, "it has no address", "Registration fails", "accounts.carrier.host"
    )
    check(lab.line("OPTIONS"), FAILED, "has no address", "Registration fails", "name")
    check(lab.line("registration"), FAILED, "has no address", "Registration fails", "does not resolve")


def test_a_termination_uri_that_does_not_exist(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk["termination"] = "sbc.acme.example:5060"
    lab.settings["resolver"] = far.dns({})
    check(lab.line("DNS sbc.acme.example"), FAILED, "no address", "Registration fails", "Termination URI")


def test_an_ai_host_that_does_not_exist(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": "sip.synthflow.example"})
    lab.settings["resolver"] = far.dns({})
    check(lab.line("DNS sip.synthflow.example"), FAILED, "no address", "Calls not reaching Synthflow", "udp-ip")


def test_name_servers_that_are_silent(lab: Any, far: Any) -> None:
    named(lab, far, {}, silent=True)
    check(
        lab.line("DNS sip.carrier.example"),
        FAILED,
        "the name servers do not answer",
        "Registration fails",
        "DNS servers",
    )


def test_services_of_a_domain(lab: Any, far: Any) -> None:
    zone = {("sip.carrier.example", "A"): [far.address], ("carrier.example", "A"): [far.address]}
    named(lab, far, zone)
    check(lab.line("DNS service"), OK, "announces no SIP service")
    port = lab.account["port"]
    zone |= {
        ("carrier.example", "NAPTR"): ['10 100 "s" "SIP+D2U" "" _sip._udp.carrier.example.'],
        ("_sip._udp.carrier.example", "SRV"): [f"10 10 {port} sip.carrier.example."],
    }
    check(lab.line("DNS service"), OK, f"NAPTR SIP+D2U; SRV _sip._udp sip.carrier.example:{port}")
    zone[("_sip._udp.carrier.example", "SRV")] = ["10 10 5099 sip.carrier.example."]
    check(lab.line("DNS service"), WARNING, f"but the file says port {port}", "Registration fails", "host and port")
    zone[("carrier.example", "NAPTR")] = ['10 100 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.']
    check(lab.line("DNS service"), WARNING, "nothing for udp", "Registration fails", "transport")


def test_addresses_need_no_dns(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.settings["resolver"] = far.dns({}, silent=True)
    assert not [line for line in lab.report().lines if line.name.startswith("DNS")]


def test_the_platforms_allowlist(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": "sip.synthflow.example", "port": far.udp()})
    lab.settings["resolver"] = far.dns({("sip.synthflow.example", "A"): [far.address, "198.51.100.9"]})
    lab.trunk["allowed_addresses"] = [far.address, "198.51.100.9", "198.51.100.10"]
    check(lab.line("allowlist"), OK, "is listed")
    lab.trunk["allowed_addresses"] = [far.address]
    check(
        lab.line("allowlist"),
        FAILED,
        "198.51.100.9, which allowed_addresses does not list",
        "Registration fails",
        "Allowed IPs",
    )


# -- this machine and the file


def test_numbers(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    check(lab.line("numbers"), OK, "3 numbers")
    lab.plain["numbers"] = {"no_such_number": "+13115550100"}
    check(lab.line("numbers"), WARNING, "+13115550100 cannot be valid", "Caller ID missing")
    lab.plain["numbers"] = {"no_such_number": "+19005550100"}
    check(lab.line("numbers"), FAILED, "premium", "Calls not reaching Synthflow", "safety.allow")
    lab.plain["safety"] = {"allow": ["+19005550100"]}
    check(lab.line("numbers"), OK, "allowed")
    lab.plain["phones"]["caller"]["user"] = "911"
    check(lab.line("numbers"), FAILED, "911 is an emergency number")


def test_rtp_ports(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "bind": far.address})
    check(lab.line("RTP ports"), OK, "the system's own choice")
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((far.address, 0))
        port = taken.getsockname()[1]
        first = port - 4
        lab.account["rtp_ports"] = [first, first + 7]
        lab.plain["limits"] = {"concurrent_calls": 3}
        check(lab.line("RTP ports"), OK, f"7 of 8 ports {first}–{first + 7}")
        lab.plain["limits"] = {"concurrent_calls": 4}
        check(lab.line("RTP ports"), FAILED, "8 are needed", "One-way or no audio", "rtp_ports")
    del lab.account["rtp_ports"]
    lab.account["bind"] = "192.0.2.1"
    check(lab.line("RTP ports"), FAILED, "no address of this machine", "One-way or no audio", "accounts.carrier.bind")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_stand_ins_port(lab: Any, far: Any, transport: str) -> None:
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address}
    with socket.socket(type=socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as listener:
        listener.bind((far.address, 0))
        if transport == "tcp":
            listener.listen()
        lab.trunk.update({"transport": transport, "port": listener.getsockname()[1]})
        check(
            lab.line("stand-in port"), FAILED, "something else listens", "Calls not reaching Synthflow", "another run"
        )
    check(lab.line("stand-in port"), OK, "free")


@pytest.mark.parametrize(
    ("value", "status"), [("s3cret", OK), ("", FAILED), (None, FAILED), (" s3cret", FAILED), ("s3cret\n", FAILED)]
)
def test_secrets(value: str | None, status: Status) -> None:
    line = secret_line("TRUNK_PASSWORD", "trunks.0.password_env", value)
    assert line.status is status
    assert "s3cret" not in str(line)
    if value is None:
        check(line, FAILED, "trunks.0.password_env needs it", "Registration fails", "export TRUNK_PASSWORD=")


# -- the API


def token(lab: Any, far: Any, base: str, settings: Any = None, **synthflow: Any) -> ProbeResult:
    lab.account["port"] = lab.account["port"] if lab.account["port"] != 1 else far.udp()
    lab.plain["synthflow"] = {"api_base": base, "api_token": "t0ken", **synthflow}
    found: ProbeResult = lab.line("Synthflow API", **(settings or {}))
    assert "t0ken" not in str(found)
    return found


def test_the_token(lab: Any, far: Any) -> None:
    row = "Calls not reaching Synthflow"
    check(token(lab, far, far.api()), OK, "the token is accepted")
    check(token(lab, far, far.api("401 Unauthorized")), FAILED, "not known", row, "wrong, expired or revoked")
    check(token(lab, far, far.api("403 Forbidden")), FAILED, "may not do this", row, "workspace")
    check(token(lab, far, far.api("404 Not Found")), FAILED, "no API there", row, "api_base")
    limited = far.api("429 Too Many Requests", "Retry-After: 7\r\n")
    check(token(lab, far, limited), WARNING, "again after 7 s", row, "Wait")
    check(token(lab, far, far.api("500 Internal Server Error")), WARNING, "in trouble", row, "weaker evidence")
    check(token(lab, far, far.api("422 Unprocessable Content")), WARNING, "the token is taken", row)
    check(token(lab, far, far.api(silent=True), SOON), FAILED, "no answer within", row, "firewall")
    check(token(lab, far, f"http://{far.address}:{far.closed_port()}/v2"), FAILED, "ConnectError", row, "api_base")
    check(token(lab, far, far.api(), api_token=None), FAILED, "no token", row, "api_token_env")


def test_the_apis_certificate(lab: Any, far: Any) -> None:
    port = far.stream(context=far.certificate(signed_by="stranger"))
    line = token(lab, far, f"https://{far.address}:{port}/v2", ca_file=far.ca_file)
    check(line, FAILED, "ConnectError", "Calls not reaching Synthflow", "ca_file")


# -- the campaign


def trigger(lab: Any, far: Any, url: str) -> ProbeResult:
    lab.account["port"] = lab.account["port"] if lab.account["port"] != 1 else far.udp()
    lab.plain["campaign"] = {"trigger": "http", "url": url}
    found: ProbeResult = lab.line("campaign URL")
    return found


def test_where_a_campaign_is_started(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "Calls not reaching Synthflow"
    check(trigger(lab, far, f"http://{far.address}:{far.stream()}/start"), OK, "open, ")
    check(trigger(lab, far, f"http://{far.address}:{far.closed_port()}/"), FAILED, "refused", row, "campaign.url")
    port = far.stream(context=far.certificate())
    check(trigger(lab, far, f"https://{far.address}:{port}/"), FAILED, "certificate is not trusted", row, "certificate")
    monkeypatch.setenv("SSL_CERT_FILE", far.ca_file)  # which the trigger itself trusts, too
    check(trigger(lab, far, f"https://{far.address}:{port}/"), OK, "open, ")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{far.address}:1")
    check(trigger(lab, far, f"https://{far.address}:{port}/"), WARNING, "through a proxy", row, "by hand")


def test_a_campaign_is_not_started(lab: Any, far: Any) -> None:
    with socket.create_server((far.address, 0)) as platform:
        check(trigger(lab, far, f"http://{far.address}:{platform.getsockname()[1]}/start"), OK, "open, ")
        connection, _ = platform.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""  # closed, and nothing asked


def test_the_apis_clock(lab: Any, far: Any) -> None:
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    lab.account["port"] = far.udp()
    base = far.api(headers=f"Date: {email.utils.format_datetime(late, usegmt=True)}\r\n")
    lab.plain["synthflow"] = {"api_base": base, "api_token": "t0ken"}
    check(lab.line("clock Synthflow API"), FAILED, "behind", "Registration fails", "NTP")


# -- all together


def test_all_probes_run_at_once(lab: Any, far: Any) -> None:
    """Nobody is answered before everybody has asked: one after the other, all would ask in vain."""
    seen: set[str] = set()

    def together(request: Request) -> Response | None:
        seen.add(request.call_id)
        return Response.to_request(request, 200, tag="far") if len(seen) >= 16 else None

    lab.account["port"] = far.udp(together)
    for number in range(7):
        lab.plain["accounts"][f"another-{number}"] = {**lab.account, "port": far.udp(together)}
        lab.plain["phones"][f"phone-{number}"] = {"account": f"another-{number}", "user": f"user-{number}"}
    answered = [line for line in lab.report().lines if line.look in (ProbeKind.OPTIONS, ProbeKind.REGISTRATION)]
    assert len(answered) == 16
    assert not [line for line in answered if line.status is FAILED]


def test_a_probe_that_breaks_hides_no_other(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> ProbeResult:
        raise ZeroDivisionError("as nobody expected")

    monkeypatch.setattr("harness.preflight.machine.rtp_line", broken)
    lab.account["port"] = far.udp()
    check(lab.line("RTP ports of carrier"), FAILED, "ZeroDivisionError", "Registration fails")
    check(lab.line("OPTIONS"), OK, "200")


def test_a_report_is_plain_data_without_secrets(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(registrar())
    plain = lab.report().to_plain()
    assert plain["deployment"] == "lab"
    assert {line["status"] for line in plain["lines"]} == {"ok"}
    assert "right" not in str(plain)


# -- what else the file's rows will use


def test_the_platforms_own_port_is_asked(lab: Any, far: Any) -> None:
    """KEEPALIVE asks it by OPTIONS, from an agent's phone."""
    lab.account["port"] = far.udp()
    lab.plain["groups"] = {"people": {"did": "+13125550177", "agents": ["caller"]}}
    lab.plain["platform"].update(host=far.address, port=far.udp(says(403)))
    names = {line.name: line for line in lab.report().lines}
    asked = names[f"OPTIONS {far.address}:{lab.plain['platform']['port']}/udp"]
    assert asked.status is FAILED
    assert "not allowed" in asked.detail


def test_addresses_of_this_machine_that_phones_are_bound_to(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"stranger_bind": "192.0.2.77"}
    lab.plain["phones"]["caller"]["bind"] = "192.0.2.78"
    found = {line.name: line for line in lab.report(**SOON).lines}
    for where in ("stand_in.stranger_bind 192.0.2.77", "phones.caller.bind 192.0.2.78"):
        (line,) = [line for name, line in found.items() if where in name]
        assert line.status is FAILED
        assert "no address of this machine" in line.detail
