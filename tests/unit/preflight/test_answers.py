"""OPTIONS: the answer, its time, its clock, its codecs, and the address it came back to."""

import email.utils
import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.run.preflight import Status, answers
from harness.run.preflight.answers import answer_line, clock_line
from harness.run.preflight.network import stun_address
from harness.sip.message import Request, Response
from harness.witness.ports.probes import Probing, Target
from harness.witness.ports.wire import RequestOutcome
from tests.unit.preflight.conftest import FAILED, OK, SOON, WARNING, Answer, check, only, says, silent

WHAT_IS_SLOW = answers.SLOW_S
ROW, AUDIO = "Registration fails", "One-way or no audio"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_silence_is_told_from_a_refusal(lab: Any, far: Any, transport: str) -> None:
    lab.account["transport"] = transport
    lab.plain["ca_file"] = far.ca_file
    context = far.certificate() if transport == "tls" else None
    lab.account["port"] = far.udp(silent) if transport == "udp" else far.stream(silent, context)
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer within 1.5 s", ROW, "firewall")
    lab.account["port"] = far.udp(says(403)) if transport == "udp" else far.stream(says(403), context)
    check(lab.line("OPTIONS"), FAILED, "packets arrive, but", ROW, "allowed IPs")
    lab.account["port"] = far.closed_port()
    check(lab.line("OPTIONS"), FAILED, "closed" if transport == "udp" else "refused", ROW, "transport")


def without_cseq(value: str | None) -> Answer:
    def answer(request: Request) -> Response:
        response = Response.to_request(request, 404, tag="far").without("CSeq")
        return response.adding("CSeq", value) if value else response

    return answer


def of_another_call(request: Request) -> Response:
    return Response.to_request(request, 200, tag="far").setting("Call-ID", "another")


def registers(options: Answer, status: int) -> Answer:
    """A far end that answers OPTIONS so, and REGISTER with the status."""
    return lambda request: (options if request.method == "OPTIONS" else says(status))(request)


@pytest.mark.parametrize(
    ("answer", "status", "detail", "fix"),
    [
        (says(200), OK, "200 OK", ""),
        (says(404), OK, "404", ""),
        (without_cseq(None), OK, "404", ""),
        (without_cseq("nonsense"), OK, "404", ""),
        (says(503), WARNING, "503", "operator"),
        (only("OPTIONS", says(482)), WARNING, "482", "routing"),
        (only("OPTIONS", says(483)), WARNING, "483", "routing"),
        # RFC 3261 section 11 asks for an answer; calls do without it
        *((registers(silent, code), WARNING, "it answers REGISTER", "KEEPALIVE") for code in (200, 401, 403, 500)),
        # a 403 may be for the request as such (RFC 3261 section 21.4.4): some servers refuse all OPTIONS
        (registers(says(403), 200), WARNING, "has accepted REGISTER", "KEEPALIVE"),
        *((registers(says(403), code), FAILED, "is not allowed", "allowed IPs") for code in (401, 403, 404)),
        (of_another_call, FAILED, "no answer", "firewall"),
        (lambda request: b"HTTP/1.1 200 OK\r\n\r\n", FAILED, "the response is not SIP", "Packets arrive"),
        (says(100), FAILED, "100 Trying, and no final answer within 1.5 s", "Packets arrive"),
    ],
)
def test_what_is_answered(lab: Any, far: Any, answer: Any, status: Status, detail: str, fix: str) -> None:
    lab.account["port"] = far.udp(answer)
    check(lab.line("OPTIONS", **SOON), status, detail, "" if status is OK else ROW, fix)
    request = next(r for r in far.requests if r.method == "OPTIONS")
    assert "rport" in request.via.params
    assert request.get("Accept") == "application/sdp"


@pytest.mark.parametrize(
    ("answer", "hang_up", "detail"),
    [
        (says(200), True, "closed without an answer"),
        (lambda request: b"\0\0\0 hello there\r\n\r\n", False, "the response is not SIP"),
        (says(100), False, "100 Trying, and no final answer within 1.5 s"),
    ],
)
def test_connections_without_an_answer(lab: Any, far: Any, answer: Any, hang_up: bool, detail: str) -> None:
    lab.account.update({"transport": "tcp", "port": far.stream(answer, hang_up=hang_up)})
    check(lab.line("OPTIONS", **SOON), FAILED, detail, ROW)


def test_a_slow_answer(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SLOW_S", WHAT_IS_SLOW)
    lab.settings["patience"] = 3.0
    seen: set[str] = set()

    def late(request: Request) -> Response | None:
        # answers only what is sent again, after 0.5 s (timer E)
        if request.call_id not in seen:
            seen.add(request.call_id)
            return None
        return Response.to_request(request, 200, tag="far")

    lab.account["port"] = far.udp(late)
    check(lab.line("OPTIONS"), WARNING, "slow", ROW, "region")


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        (says(200), OK, "200"),
        (says(404), OK, "404"),
        (says(503), WARNING, "503"),
        (says(403), OK, "packets arrive; it takes calls from allowed addresses alone"),
        (silent, WARNING, "from here"),
    ],
)
def test_the_ais_own_port_may_be_closed_to_outsiders(
    lab: Any, far: Any, answer: Any, status: Status, detail: str
) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(answer)})
    report = lab.report(**SOON)
    own, ais = (line for line in report.lines if line.name.startswith("OPTIONS"))
    assert own.status is OK
    check(ais, status, detail, "" if status is OK else "Calls not reaching Synthflow")
    assert not report.failed


@pytest.mark.parametrize(("kind", "status"), [("account", FAILED), ("ai", WARNING), ("for the ai", WARNING)])
def test_a_handshake_that_only_others_need_to_make_ends_no_run(kind: str, status: Any) -> None:
    """The server may ask for a certificate that its callers have."""
    place = Target("sip.example.com", 5061, "tls", by_phones=kind == "account")
    refused = RequestOutcome(None, 0.1, "tls", "the TLS handshake failed: SSLV3_ALERT_HANDSHAKE_FAILURE")
    assert answer_line(place, kind, refused).status is status


def test_a_bind_that_is_not_ours(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "bind": "192.0.2.1"})
    check(lab.line("OPTIONS"), FAILED, "192.0.2.1 is no address of this machine", fix="bind")


# -- clock

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("date", "status", "detail"),
    [
        (email.utils.formatdate(NOW, usegmt=True), OK, "the same to the second"),
        ("Tue, 14 Nov 2023 22:13:20 -0000", OK, "the same to the second"),  # RFC 5322 section 3.3: UTC as well
        (email.utils.formatdate(NOW + 2, usegmt=True), OK, "ahead"),
        (email.utils.formatdate(NOW + 20, usegmt=True), WARNING, "20 s ahead"),
        (email.utils.formatdate(NOW - 20, usegmt=True), WARNING, "20 s behind"),
        (email.utils.formatdate(NOW + 3600, usegmt=True), FAILED, "3600 s"),
        ("Mon, 01 Jan 0001 00:00:00 GMT", FAILED, "behind"),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", WARNING, "it says"),
        ("yesterday, about noon", WARNING, "it says 'yesterday"),
    ],
)
def test_the_far_ends_clock(lab: Any, date: str, status: Status, detail: str) -> None:
    line = clock_line(Probing(lab.deployment(), wall_clock=lambda: NOW), "far", date)
    assert line is not None
    check(line, status, detail, "" if status is OK else ROW)


# -- codecs

SDP = "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


@pytest.mark.parametrize(
    ("wanted", "media", "status", "detail"),
    [
        (None, "m=audio 0 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n", OK, "PCMU, PCMA"),
        (None, "m=audio 0 RTP/AVP 8\r\n", WARNING, "no PCMU"),
        (None, "m=audio 0 RTP/AVP 96 9\r\na=rtpmap:96 opus/48000/2\r\n", FAILED, "OPUS, G722: no G.711"),
        (None, "m=audio 0 RTP/AVP 18\r\n", FAILED, "G729: no G.711"),
        (["pcma"], "m=audio 0 RTP/AVP 0\r\n", FAILED, "PCMU: no PCMA"),
    ],
)
def test_codecs_offered(lab: Any, far: Any, wanted: list[str] | None, media: str, status: Status, detail: str) -> None:
    if wanted:
        lab.plain["axes"] = {"codecs": wanted}
    lab.account["port"] = far.udp(says(200, ("Content-Type", "application/sdp"), body=SDP + media))
    check(lab.line("codecs"), status, detail, "" if status is OK else AUDIO)


def test_codecs_that_are_not_told(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(says(200, ("Accept", "application/sdp")))
    check(lab.line("codecs"), OK, "not told (Accept: application/sdp)")


# -- the address the far end sees


def seen_as(address: str) -> Answer:
    def answer(request: Request) -> Response:
        params = request.via.params.with_("received", address).with_("rport", "40000")
        via = type(request.via)(request.via.transport, request.via.host, request.via.port, params)
        return Response.to_request(request, 200, tag="far").with_top_via(via)

    return answer


@pytest.mark.parametrize(
    ("seen", "public", "status", "detail", "fix"),
    [
        (None, None, OK, "no address translation", ""),
        ("198.51.100.7", None, WARNING, "is seen as 198.51.100.7", 'public_address = "198.51.100.7"'),
        ("198.51.100.7", "198.51.100.7", OK, "the phones name 198.51.100.7", ""),
        ("198.51.100.7", "198.51.100.8", FAILED, "public_address says 198.51.100.8", "198.51.100.7"),
    ],
)
def test_address_translation(
    lab: Any, far: Any, seen: str | None, public: str | None, status: Status, detail: str, fix: str
) -> None:
    lab.account["port"] = far.udp(seen_as(seen)) if seen else far.udp()
    if public:
        lab.account["public_address"] = public
    check(lab.line("address"), status, detail, "" if status is OK else AUDIO, fix)


@pytest.mark.parametrize("via", ["", "nonsense"])
def test_an_answer_without_a_readable_via(lab: Any, far: Any, via: str) -> None:
    def answer(request: Request) -> Response:
        response = Response.to_request(request, 200, tag="far").without("Via")
        return response.adding("Via", via, top=True) if via else response

    lab.account["port"] = far.udp(answer)
    check(lab.line("address"), WARNING, "no readable Via", AUDIO)


# -- STUN


@pytest.mark.parametrize(
    ("mapped", "status", "detail", "fix"),
    [
        (lambda source, which: ("198.51.100.7", 4000), OK, "198.51.100.7:4000, one mapping for all", ""),
        (lambda source, which: ("198.51.100.7", 4000 + which), WARNING, "depends on", "public_address"),
        (lambda source, which: source, OK, "no address translation", ""),
        (None, FAILED, "does not answer", "stun_server"),
    ],
)
def test_stun(lab: Any, far: Any, mapped: Any, status: Status, detail: str, fix: str) -> None:
    lab.account.update({"port": far.udp(), "bind": far.address, "stun_server": far.stun(mapped)})
    check(lab.line("STUN", **SOON), status, detail, "" if status is OK else AUDIO, fix)


def test_a_stun_server_that_does_not_exist(lab: Any, far: Any) -> None:
    lab.account.update({"port": far.udp(), "stun_server": "stun.invalid:3478"})
    lab.settings["resolver"] = far.dns({})
    check(lab.line("STUN"), FAILED, "no address", AUDIO, "stun_server")


@pytest.mark.parametrize(
    "answer", [b"", b"\x01\x01\0\x08" + b"x" * 28, b"\x01\x11" + b"\0" * 30, b"\x01\x01\0\0" + b"\0" * 16]
)
def test_stun_answers_that_are_none(answer: bytes) -> None:
    assert stun_address(answer, b"t" * 12) is None


def _attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + b"\0" * (-len(value) % 4)


@given(
    before=st.lists(st.tuples(st.sampled_from([0x8022, 0x8028, 0x802B, 0x0003]), st.binary(max_size=24)), max_size=4),
    host=st.ip_addresses(v=4),
    port=st.integers(1, 65535),
    plain=st.sampled_from([None, "the same", "rewritten"]),
)
def test_the_mapped_address_is_found_among_other_attributes(
    before: list[tuple[int, bytes]], host: ipaddress.IPv4Address, port: int, plain: str | None
) -> None:
    """RFC 8489 section 14: attributes come in any order; a router may rewrite the plain address, and not the XORed one."""
    xored = (port ^ 0x2112).to_bytes(2, "big") + (int(host) ^ 0x2112A442).to_bytes(4, "big")
    attributes = b"".join(_attribute(kind, value) for kind, value in before)
    if plain is not None:
        told = host.packed if plain == "the same" else b"\x0a\0\0\x01"
        attributes += _attribute(0x0001, b"\0\x01" + port.to_bytes(2, "big") + told)
    attributes += _attribute(0x0020, b"\0\x01" + xored)
    transaction = b"t" * 12
    head = b"\x01\x01" + len(attributes).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + transaction
    assert stun_address(head + attributes, transaction) == (str(host), port)
