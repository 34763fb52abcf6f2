"""Answers to OPTIONS and REGISTER: the lines on the answer, clock, codecs and address."""

from __future__ import annotations

import email.utils
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.run.preflight import ProbeKind, Status, answers, of_file
from harness.run.preflight.answers import clock_line
from harness.sip.message import Request, Response
from harness.witness.ports.probes import Probing
from tests.unit.preflight.conftest import (
    FAILED,
    OK,
    SOON,
    WARNING,
    Answer,
    check,
    fine,
    only,
    registrar,
    says,
    silent,
)

WHAT_IS_SLOW = answers.SLOW_S
TRUNK, AUDIO = "Registration fails", "One-way or no audio"
#: The guide's row for each kind of line.
ROWS = {"OPTIONS": "", "registration": "", "codecs": AUDIO, "address": ""}


def registers(options: Answer, status: int) -> Answer:
    """A far end that answers OPTIONS with ``options`` and REGISTER with ``status``."""
    return lambda request: (options if request.method == "OPTIONS" else says(status))(request)


def of_another_call(request: Request) -> Response:
    return fine(request).setting("Call-ID", "another")


def refuses_after_the_password(request: Request) -> Any:
    return says(403)(request) if request.has("Authorization") else registrar("another")(request)


def offers(media: str) -> Answer:
    session = "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    return says(200, ("Content-Type", "application/sdp"), body=session + media)


def seen_elsewhere(request: Request) -> Response:
    params = request.via.params.with_("received", "198.51.100.7").with_("rport", "40000")
    via = type(request.via)(request.via.transport, request.via.host, request.via.port, params)
    return fine(request).with_top_via(via)


def without_via(request: Request) -> Response:
    return fine(request).without("Via")


PROMPT = [
    ("OPTIONS", says(404), OK, "404", ""),
    ("OPTIONS", says(503), WARNING, "503", "operator"),
    ("OPTIONS", only("OPTIONS", says(482)), WARNING, "482", "routing"),
    # RFC 3261 section 21.4.4: some servers forbid all OPTIONS
    ("OPTIONS", registers(says(403), 200), WARNING, "has accepted REGISTER", "KEEPALIVE"),
    *(
        ("OPTIONS", registers(says(403), code), FAILED, "is not allowed", "allowed IPs")
        for code in (401, 403)
    ),
    (
        "registration",
        registrar("another"),
        FAILED,
        "credentials of +14155550101 refused (realm carrier.example)",
        "passw",
    ),
    ("registration", registrar(realm="evil.example"), FAILED, "the realm is evil.example", "realm"),
    (
        "registration",
        refuses_after_the_password,
        FAILED,
        "these credentials (realm carrier.example) or",
        "password",
    ),
    ("registration", says(403), FAILED, "this address, before any password", "allowed IPs"),
    ("registration", says(404), FAILED, "does not know +14155550101", "phones.caller"),
    ("registration", says(501), WARNING, "no registrar", "register = false"),
    ("registration", says(500), WARNING, "500", "operator"),
    (
        "registration",
        says(400, reason="Missing Contact Header"),
        WARNING,
        "not known",
        "asks for the bindings alone",
    ),
    ("registration", says(423), OK, "longer interval", ""),
    ("registration", says(200), OK, "without digest", ""),
    # the softphones do not follow redirects (RFC 3261 section 8.1.3.4)
    (
        "registration",
        says(302, ("Contact", "<sip:node7.example>")),
        FAILED,
        "sends on to <sip:node7.example>",
        "host",
    ),
    (
        "codecs",
        offers("m=audio 0 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"),
        OK,
        "PCMU, PCMA",
        "",
    ),
    ("codecs", offers("m=audio 0 RTP/AVP 8\r\n"), WARNING, "no PCMU", "PCMU"),
    (
        "codecs",
        offers("m=audio 0 RTP/AVP 96 9\r\na=rtpmap:96 opus/48000/2\r\n"),
        FAILED,
        "OPUS, G722: no G.711",
        "",
    ),
    (
        "codecs",
        says(200, ("Accept", "application/sdp")),
        OK,
        "not told (Accept: application/sdp)",
        "",
    ),
    ("address", says(200), OK, "no address translation", ""),
    (
        "address",
        seen_elsewhere,
        WARNING,
        "seen as 198.51.100.7",
        'public_address = "198.51.100.7"',
    ),
    ("address", without_via, WARNING, "no readable Via", "RFC 3261"),
]
IN_VAIN = [
    ("OPTIONS", of_another_call, FAILED, "no answer", "firewall"),
    (
        "OPTIONS",
        lambda request: b"HTTP/1.1 200 OK\r\n\r\n",
        FAILED,
        "the response is not SIP",
        "Packets arrive",
    ),
    (
        "OPTIONS",
        says(100),
        FAILED,
        "100 Trying, and no final answer within 1.5 s",
        "Packets arrive",
    ),
    # RFC 3261 section 11 requires an answer; calls do not need it
    *(
        ("OPTIONS", registers(silent, code), WARNING, "it answers REGISTER", "KEEPALIVE")
        for code in (200, 401)
    ),
    ("registration", silent, FAILED, "no answer", "firewall"),
]


@pytest.mark.parametrize(
    ("line", "answer", "status", "detail", "fix", "settings"),
    [(*row, settings) for rows, settings in ((PROMPT, {}), (IN_VAIN, SOON)) for row in rows],
)
def test_answer_gives_its_line(
    lab: Any,
    far: Any,
    line: str,
    answer: Answer,
    status: Status,
    detail: str,
    fix: str,
    settings: Any,
) -> None:
    lab.plain["phones"]["caller"]["realm"] = "carrier.example"
    lab.account["port"] = far.udp(answer)
    check(lab.line(line, **settings), status, detail, fix, row="" if status is OK else ROWS[line])
    options = next(request for request in far.requests if request.method == "OPTIONS")
    assert "rport" in options.via.params
    assert options.get("Accept") == "application/sdp"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_silence_differs_from_a_refusal(lab: Any, far: Any, transport: str) -> None:
    lab.account["transport"] = transport
    context = far.certificate() if transport == "tls" else None
    lab.account["port"] = far.udp(silent) if transport == "udp" else far.stream(silent, context)
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer within 1.5 s", "firewall")
    lab.account["port"] = (
        far.udp(says(403)) if transport == "udp" else far.stream(says(403), context)
    )
    check(lab.line("OPTIONS"), FAILED, "packets arrive, but", "allowed IPs")
    lab.account["port"] = far.closed_port()
    check(lab.line("OPTIONS"), FAILED, "closed" if transport == "udp" else "refused", "transport")


@pytest.mark.parametrize(
    ("answer", "hang_up", "detail"),
    [
        (says(200), True, "closed without an answer"),
        (lambda request: b"\0\0\0 hello there\r\n\r\n", False, "the response is not SIP"),
    ],
)
def test_connection_without_an_answer_fails(
    lab: Any, far: Any, answer: Any, hang_up: bool, detail: str
) -> None:
    lab.account.update({"transport": "tcp", "port": far.stream(answer, hang_up=hang_up)})
    check(lab.line("OPTIONS", **SOON), FAILED, detail)


def test_slow_answer_is_a_warning(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SLOW_S", WHAT_IS_SLOW)
    seen: set[str] = set()

    def late(request: Request) -> Response | None:
        """Answers only the retransmission, after 0.5 s (timer E)."""
        if request.call_id in seen:
            return fine(request)
        seen.add(request.call_id)
        return None

    lab.account["port"] = far.udp(late)
    check(lab.line("OPTIONS", patience=3.0), WARNING, "slow", "region")


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        (says(503), WARNING, "503"),
        (says(403), OK, "packets arrive; it takes calls from allowed addresses alone"),
        (silent, WARNING, "from here"),
    ],
)
def test_ai_port_may_be_closed_to_this_machine(
    lab: Any, far: Any, answer: Any, status: Status, detail: str
) -> None:
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(answer)})
    report = lab.report(**SOON)
    own, ais = (line for line in report.lines if line.name.startswith("OPTIONS"))
    assert own.status is OK
    check(ais, status, detail, row="" if status is OK else TRUNK)
    assert not report.failed


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("date", "status", "detail"),
    [
        (
            "Tue, 14 Nov 2023 22:13:20 -0000",
            OK,
            "the same to the second",
        ),  # RFC 5322 section 3.3: also UTC
        (email.utils.formatdate(NOW + 2, usegmt=True), OK, "ahead"),
        (email.utils.formatdate(NOW - 20, usegmt=True), WARNING, "20 s behind"),
        (email.utils.formatdate(NOW + 3600, usegmt=True), FAILED, "3600 s"),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", WARNING, "it says"),
        ("yesterday, about noon", WARNING, "it says 'yesterday"),
    ],
)
def test_clock_of_the_far_end_is_compared(lab: Any, date: str, status: Status, detail: str) -> None:
    line = clock_line(Probing(lab.deployment(), wall_clock=lambda: NOW), "far", date)
    assert line is not None
    check(line, status, detail)


@pytest.mark.parametrize(
    ("public", "status", "detail"),
    [
        ("198.51.100.7", OK, "the phones name 198.51.100.7"),
        ("198.51.100.8", FAILED, "public_address says 198.51.100.8"),
    ],
)
def test_public_address_is_compared_with_received(
    lab: Any, far: Any, public: str, status: Status, detail: str
) -> None:
    lab.account.update({"port": far.udp(seen_elsewhere), "public_address": public})
    check(lab.line("address"), status, detail)


# -- registration


@pytest.mark.parametrize(("algorithm", "proxy"), [("MD5", False), ("SHA-256", True)])
def test_register_probe_checks_credentials_and_binds_nothing(
    lab: Any, far: Any, algorithm: str, proxy: bool
) -> None:
    lab.account["port"] = far.udp(registrar(algorithm=algorithm, proxy=proxy))
    check(lab.line("registration"), OK, "200 OK, digest accepted (realm carrier.example)")
    registers = [request for request in far.requests if request.method == "REGISTER"]
    assert not any(request.has("Contact") or request.has("Expires") for request in registers)
    assert [request.cseq.number for request in registers] == [1, 2]
    assert {(str(r.uri), r.to.uri.host) for r in registers} == {
        ("sip:carrier.example", "carrier.example")
    }


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        ({"signed_by": "stranger"}, "not trusted"),
        ({"days": -1, "starts": -30}, "expired"),
        ({"starts": 1}, "not yet valid"),
        ({"names": ("other.example",)}, "made out to other.example"),
        ({"names": ()}, "made out to server"),
    ],
)
def test_unverified_server_gets_no_credentials(
    lab: Any, far: Any, certificate: dict[str, Any], why: str
) -> None:
    """A digest answer allows an offline attack on the password."""
    port = far.stream(registrar(), far.certificate(**certificate))
    lab.account.update(transport="tls", port=port, ca_file=far.ca_file)
    line = lab.line("registration")
    check(line, FAILED, "no password was sent")
    assert why in line.detail
    assert not any(request.has("Authorization") for request in far.requests)
    lab.account["port"] = far.stream(registrar(), far.certificate())
    check(lab.line("registration"), OK, "digest accepted")


def test_stand_in_registers_at_the_termination_uri(lab: Any, far: Any) -> None:
    """The guide's fields are Termination URI, user and password; there is no other domain."""
    lab.plain["stand_in"] = {"bind": far.address}
    termination = f"{far.address}:{far.udp(registrar())}"
    lab.trunk.update({"termination": termination, "username": "+14155550101", "password": "right"})
    check(lab.line("registration of trunk"), OK, "digest accepted")
    asked = {(str(r.uri), r.to.uri.host) for r in far.requests if r.to.uri.user == "+14155550101"}
    assert asked - {("sip:carrier.example", "carrier.example")} == {
        (f"sip:{termination}", far.address)
    }
    lab.trunk["password"] = "wrong"
    check(lab.line("registration of trunk"), FAILED, "refused", "trunks.udp-ip", row=TRUNK)


@pytest.mark.parametrize("known", [True, False])
def test_unset_password_variable_sends_no_credentials(
    lab: Any, far: Any, tmp_path: Path, known: bool
) -> None:
    """A registrar may lock an account after wrong passwords."""
    lab.account["port"] = far.udp(registrar())
    lab.plain["phones"]["caller"] = {
        "account": "carrier",
        "number": "+14155550101",
        "password_env": "HARNESS_CALLER_PASSWORD",
    }
    lab.plain["stand_in"] = {"bind": far.address}
    lab.trunk["termination"] = f"{far.address}:{lab.account['port']}"
    file = tmp_path / "lab.toml"
    file.write_bytes(tomli_w.dumps(lab.plain).encode())
    environment = {"HARNESS_CALLER_PASSWORD": "right"} if known else {}
    found = {line.look: line for line in of_file(file, environment, **lab.settings).lines}
    secret, registered = found[ProbeKind.SECRET], found[ProbeKind.REGISTRATION]
    answered = [request for request in far.requests if request.has("Authorization")]
    assert (secret.status, registered.status, len(answered)) == (
        (OK, OK, 1) if known else (FAILED, FAILED, 0)
    )
    if not known:
        check(registered, FAILED, "a password is asked for", "phones.caller.password_env")
