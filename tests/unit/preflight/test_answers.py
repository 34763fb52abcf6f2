"""OPTIONS: the answer, its time, its clock, its codecs, and the address it came back to."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.run.preflight import Status, answers
from harness.run.preflight.answers import answer_line, clock_line, codecs_of
from harness.run.preflight.machine import stun_address
from harness.sip.message import Request, Response
from harness.witness.ports.probes import Probing, Target
from harness.witness.ports.wire import RequestOutcome
from tests.unit.preflight.conftest import SOON
from tests.unit.preflight.probing import FAILED, HOUR, OK, WARNING, check, says, silent

WHAT_IS_SLOW = answers.SLOW_S

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
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer within 1.5 s", "Registration fails", "firewall")
    lab.account["port"] = far.udp(says(403)) if transport == "udp" else far.stream(says(403), context)
    check(lab.line("OPTIONS"), FAILED, "packets arrive, but", "Registration fails", "allowed IPs")
    lab.account["port"] = far.closed_port()
    check(lab.line("OPTIONS"), FAILED, "closed" if transport == "udp" else "refused", "Registration fails", "transport")


@pytest.mark.parametrize(("code", "status"), [(200, OK), (403, OK), (404, OK), (503, WARNING)])
def test_what_the_ais_own_port_says_is_told(lab: Any, far: Any, code: int, status: Status) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(says(code))})
    line = next(
        line for line in lab.report(**SOON).lines if line.name.startswith("OPTIONS") and str(code) in line.detail
    )
    assert line.status is status
    assert ("allowed addresses" in line.detail) is (code == 403)


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_a_registrar_that_answers_no_options_is_not_behind_a_firewall(lab: Any, far: Any, status: int) -> None:
    """RFC 3261 section 11 asks for an answer; calls do without it."""
    lab.account["port"] = far.udp(lambda request: None if request.method == "OPTIONS" else says(status)(request))
    line = lab.line("OPTIONS", **SOON)
    check(line, WARNING, "it answers REGISTER", "Registration fails", "KEEPALIVE")
    assert "firewall" not in line.fix


@pytest.mark.parametrize(("register", "status"), [(200, WARNING), (401, FAILED), (403, FAILED), (404, FAILED)])
def test_who_registers_from_here_is_allowed_here(lab: Any, far: Any, register: int, status: Status) -> None:
    """A 403 may be of the request as such (RFC 3261 section 21.4.4): some refuse OPTIONS whoever asks."""
    lab.account["port"] = far.udp(lambda request: says(403 if request.method == "OPTIONS" else register)(request))
    line = lab.line("OPTIONS")
    told = "has accepted REGISTER" if status is WARNING else "is not allowed"
    check(line, status, told, "Registration fails", "KEEPALIVE" if status is WARNING else "allowed IPs")


def test_other_answers_are_answers_too(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(says(404))
    check(lab.line("OPTIONS"), OK, "404")
    lab.account["port"] = far.udp(says(503))
    check(lab.line("OPTIONS"), WARNING, "503", "Registration fails", "operator")


@pytest.mark.parametrize("status", [482, 483])
def test_a_request_that_went_in_a_circle_was_answered_by_nobody(lab: Any, far: Any, status: int) -> None:
    lab.account["port"] = far.udp(lambda request: says(status if request.method == "OPTIONS" else 200)(request))
    check(lab.line("OPTIONS"), WARNING, f"{status}", "Registration fails", "routing")


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
    check(lab.line("OPTIONS"), WARNING, "slow", "Registration fails", "region")


def test_a_connection_that_is_closed_without_an_answer(lab: Any, far: Any) -> None:
    lab.account.update({"transport": "tcp", "port": far.stream(hang_up=True)})
    check(lab.line("OPTIONS"), FAILED, "closed without an answer", "Registration fails")


def test_nonsense_is_no_answer(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(lambda request: b"HTTP/1.1 200 OK\r\n\r\n")
    said = "the response is not SIP"
    check(lab.line("OPTIONS", **SOON), FAILED, said, "Registration fails", "Packets arrive")
    lab.account.update({"transport": "tcp", "port": far.stream(lambda request: b"\0\0\0 hello there\r\n\r\n")})
    check(lab.line("OPTIONS"), FAILED, said, "Registration fails", "Packets arrive")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_request_that_nothing_decides_on_was_not_dropped(lab: Any, far: Any, transport: str) -> None:
    lab.account.update(
        {"transport": transport, "port": getattr(far, {"udp": "udp", "tcp": "stream"}[transport])(says(100))}
    )
    said = "100 Trying, and no final answer within 1.5 s"
    check(lab.line("OPTIONS", **SOON), FAILED, said, "Registration fails", "Packets arrive")
    check(lab.line("registration", **SOON), FAILED, said, "Registration fails", "Packets arrive")


@pytest.mark.parametrize("cseq", [None, "nonsense"])
def test_an_answer_without_a_cseq_that_can_be_read_is_one(lab: Any, far: Any, cseq: str | None) -> None:
    def answer(request: Request) -> Response:
        response = Response.to_request(request, 404, tag="far").without("CSeq")
        return response.adding("CSeq", cseq) if cseq else response

    lab.account["port"] = far.udp(answer)
    check(lab.line("OPTIONS"), OK, "404")


@pytest.mark.parametrize("year", ["0001", "9999", "99999999999999999999"])
def test_a_clock_may_say_anything(lab: Any, far: Any, year: str) -> None:
    lab.account["port"] = far.udp(says(200, ("Date", f"Mon, 01 Jan {year} 00:00:00 GMT")))
    assert lab.line("clock").status in (WARNING, FAILED)
    check(lab.line("OPTIONS"), OK, "200")


def test_a_clock_without_a_zone_tells_utc(monkeypatch: pytest.MonkeyPatch, lab: Any) -> None:
    """RFC 5322 section 3.3: -0000 is the universal time as well."""
    probing = Probing(lab.deployment(), wall_clock=lambda: 1_700_000_000.0)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        line = clock_line(probing, "far", "Tue, 14 Nov 2023 22:13:20 -0000")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line is not None
    assert (line.status, line.detail) == (OK, "the same to the second")


def test_an_answer_to_somebody_else_is_not_taken(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(lambda r: Response.to_request(r, 200, tag="far").setting("Call-ID", "another"))
    check(lab.line("OPTIONS", **SOON), FAILED, "no answer")


def test_the_ais_own_port_may_be_closed_to_outsiders(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(silent)})
    lines = [line for line in lab.report(**SOON).lines if line.name.startswith("OPTIONS")]
    assert [line.status for line in lines] == [OK, WARNING]
    check(lines[1], WARNING, "from here", "Calls not reaching Synthflow", "Only the platform has to reach it")


def test_the_ais_own_port_may_refuse_outsiders(lab: Any, far: Any) -> None:
    """Its allowlist has the platform's addresses, and not ours: so it should be."""
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": far.address, "port": far.udp(says(403))})
    report = lab.report(**SOON)
    lines = [line for line in report.lines if line.name.startswith("OPTIONS")]
    assert [line.status for line in lines] == [OK, OK]
    check(lines[1], OK, "packets arrive; it takes calls from allowed addresses alone")
    assert not report.failed


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
        check(
            line, status, said, "" if status is OK else "Registration fails", "" if status is OK else "or the far end's"
        )


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


def test_the_one_codec_that_calls_are_made_with_is_named(lab: Any, far: Any) -> None:
    """PCMU is G.711 as well."""
    lab.plain["axes"] = {"codecs": ["pcma"]}
    lab.account["port"] = far.udp(says(200, ("Content-Type", "application/sdp"), body=SDP.format("0", "")))
    check(lab.line("codecs"), FAILED, "PCMU: no PCMA", "One-way or no audio", "Enable PCMA there")


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
    assert "a call to a registered phone" in lab.line("address").fix, "which Contact leads nowhere"
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


def _attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + b"\0" * (-len(value) % 4)


@given(
    before=st.lists(st.tuples(st.sampled_from([0x8022, 0x8028, 0x802B, 0x0003]), st.binary(max_size=24)), max_size=4),
    host=st.ip_addresses(v=4),
    port=st.integers(1, 65535),
    plain=st.sampled_from([None, "the same", "rewritten"]),
    by_ipv6=st.booleans(),
)
def test_the_mapped_address_is_found_among_other_attributes(
    before: list[tuple[int, bytes]], host: ipaddress.IPv4Address, port: int, plain: str | None, by_ipv6: bool
) -> None:
    """RFC 8489 section 14: attributes come in any order; a router may rewrite the plain address, and not the XORed one."""
    xored = (port ^ 0x2112).to_bytes(2, "big") + (int(host) ^ 0x2112A442).to_bytes(4, "big")
    attributes = b"".join(_attribute(kind, value) for kind, value in before)
    if plain is not None:
        told = host.packed if plain == "the same" else b"\x0a\0\0\x01"
        attributes += _attribute(0x0001, b"\0\x01" + port.to_bytes(2, "big") + told)
    if by_ipv6:
        attributes += _attribute(0x0020, b"\0\x02" + b"x" * 18)
    transaction = b"t" * 12
    head = len(attributes).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + transaction
    assert stun_address(b"\x01\x01" + head + attributes + _attribute(0x0020, b"\0\x01" + xored), transaction) == (
        str(host),
        port,
    )


@pytest.mark.parametrize(("kind", "status"), [("account", FAILED), ("ai", WARNING), ("for the ai", WARNING)])
def test_a_handshake_that_only_others_need_to_make_ends_no_run(kind: str, status: Any) -> None:
    """It may ask for a certificate that they have: the alert was a failure, and the run ended before its first call."""
    place = Target("sip.example.com", 5061, "tls", by_phones=kind == "account")
    refused = RequestOutcome(None, 0.1, "tls", "the TLS handshake failed: SSLV3_ALERT_HANDSHAKE_FAILURE")
    assert answer_line(place, kind, refused).status is status
