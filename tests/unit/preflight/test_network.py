"""DNS, the platform's allowlist, STUN, and IPv6."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import Transport
from harness.run.preflight import ProbeKind, Status
from harness.run.preflight.lines import Look
from harness.run.preflight.network import allowlist_line, stun_address
from harness.scenario.phones import own_phone, sources, stand_in
from harness.sip.message import Request, Response
from harness.witness.ports import services
from harness.witness.ports.probes import Probing, Target
from tests.loopback import fresh_address
from tests.unit.preflight.conftest import (
    FAILED,
    OK,
    SOON,
    WARNING,
    FarEnd,
    Lab,
    check,
    fine,
    printed,
)

TRUNK = "Registration fails"
HOST = "sip.carrier.example"


def named(lab: Any, zone: dict[tuple[str, str], list[str]], **options: Any) -> None:
    lab.account["host"] = HOST
    lab.resolves(zone, **options)


def test_dns_line_lists_the_records(lab: Any, far: Any) -> None:
    named(lab, {(HOST, "A"): [far.address], (HOST, "AAAA"): ["2001:db8::1"]})
    check(lab.line(f"DNS {HOST}"), OK, f"A {far.address}, AAAA 2001:db8::1")
    check(lab.line("OPTIONS"), OK, "200")


def test_unknown_host_fails_all_its_lines(lab: Any) -> None:
    named(lab, {})
    check(
        lab.line(f"DNS {HOST}"),
        FAILED,
        "it has no address",
        "accounts.carrier.host: the name does not exist",
    )
    check(lab.line("OPTIONS"), FAILED, "has no address", "name")
    check(lab.line("registration"), FAILED, "has no address", "does not resolve")
    said = printed(lab.report()).splitlines()
    assert [line.split()[1] for line in said if line.startswith("failed")] == ["DNS"], "once"
    assert len([line for line in said if "callers registered" in line]) == 1, (
        "whatever else the rows need"
    )


@pytest.mark.parametrize(
    ("trunk", "row", "fix"),
    [
        ({"termination": "sbc.acme.example:5060"}, TRUNK, "Termination URI"),
        ({"ai": "synthflow", "host": "sbc.acme.example"}, "", "udp-ip"),
    ],
)
def test_unknown_trunk_host_fails(lab: Any, trunk: dict[str, str], row: str, fix: str) -> None:
    lab.trunk.update(trunk)
    lab.resolves({})
    check(lab.line("DNS sbc.acme.example"), FAILED, "no address", fix, row=row)


def test_silent_name_servers_are_reported(lab: Any) -> None:
    named(lab, {}, silent=True)
    lab.trunk.update(
        {"ai": "synthflow", "host": "ai.example", "port": 5060, "allowed_addresses": ["192.0.2.1"]}
    )
    report = lab.report()
    for name, status, detail, fix in (
        (f"DNS {HOST}", FAILED, "the name servers do not answer", "DNS servers"),
        (
            "DNS service carrier.example",
            WARNING,
            "not known: the name servers do not answer",
            "DNS servers",
        ),
        ("allowlist of udp-ip", WARNING, "ai.example has no address", "nothing is known"),
        (
            f"OPTIONS {HOST}:{lab.account['port']}/udp",
            FAILED,
            "has no address: the name servers do not answer",
            "name",
        ),
    ):
        check(report.line(name), status, detail, fix, row=TRUNK if "allowlist" in name else "")


NAPTR = '10 100 "s" "SIP+D2U" "" _sip._udp.carrier.example.'
#: RFC 3263 section 4.1 concerns SIP records only; universities also have NAPTR records of RADIUS
#: and ENUM.
OTHERS = [
    '100 10 "s" "x-eduroam:radius.tls" "" _radsec._tcp.carrier.example.',
    '1 1 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
]


@pytest.mark.parametrize(
    ("naptr", "srv", "status", "detail", "fix"),
    [
        (OTHERS, [], OK, "announces no SIP service", ""),
        ([*OTHERS, NAPTR.lower()], [], OK, "NAPTR sip+d2u", ""),
        (
            [NAPTR],
            ["10 10 PORT sip.carrier.example."],
            OK,
            "NAPTR SIP+D2U; SRV _sip._udp sip.carrier.example:PORT",
            "",
        ),
        (
            [NAPTR],
            ["10 10 5099 sip.carrier.example."],
            WARNING,
            "but the file says port PORT",
            "host and port",
        ),
        (['10 100 "s" "SIPS+D2T" "" x.'], [], WARNING, "nothing for udp", "transport"),
        (
            [],
            ["0 0 0 ."],
            WARNING,
            "the domain says that it has no SIP over udp",
            "transport",
        ),  # RFC 2782
    ],
)
def test_srv_and_naptr_are_compared_with_the_file(
    lab: Any, far: Any, naptr: list[str], srv: list[str], status: Status, detail: str, fix: str
) -> None:
    zone = {(HOST, "A"): [far.address], ("carrier.example", "A"): [far.address]}
    named(lab, zone)
    port = str(lab.account["port"])
    zone |= {("carrier.example", "NAPTR"): naptr} if naptr else {}
    zone |= (
        {("_sip._udp.carrier.example", "SRV"): [record.replace("PORT", port) for record in srv]}
        if srv
        else {}
    )
    check(lab.line("DNS service"), status, detail.replace("PORT", port), fix)


@pytest.mark.parametrize(
    ("addresses", "allowed", "status"),
    [
        (["198.51.100.8", "198.51.100.9"], ["198.51.100.8", "198.51.100.9", "198.51.100.10"], OK),
        (["198.51.100.8", "198.51.100.9"], ["198.51.100.8"], FAILED),
        (["2001:db8::1"], ["[2001:DB8:0::1]"], OK),
        (["2001:db8::1"], ["2001:db8::/32"], OK),
        (["2001:db8::1"], ["2001:db8:1::/48", "ai.example"], FAILED),
    ],
)
def test_allowlist_must_have_the_ais_addresses(
    lab: Lab, far: FarEnd, addresses: list[str], allowed: list[str], status: Status
) -> None:
    lab.trunk.update({"ai": "synthflow", "host": "ai.example", "allowed_addresses": allowed})
    kind = "AAAA" if ":" in addresses[0] else "A"
    probing = Probing(lab.deployment(), resolver=far.dns({("ai.example", kind): addresses}))
    end = Target("ai.example", 5060, "udp", by_phones=False)
    trunk = probing.deployment.trunks[0]
    line = asyncio.run(
        allowlist_line(Look(ProbeKind.ALLOWLIST, trunk.name, TRUNK), probing, trunk, end)
    )
    said = (
        "is listed" if status is OK else f"{addresses[-1]}, which allowed_addresses does not list"
    )
    check(
        line, status, said, "" if status is OK else "Allowed IPs", row="" if status is OK else TRUNK
    )


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_dead_address_among_several_is_a_warning(lab: Any, far: Any, transport: str) -> None:
    """Calls may go to any of them (RFC 3263 section 4.2)."""
    port = far.udp() if transport == "udp" else far.stream()
    dead = fresh_address()
    for order in ([far.address, dead], [dead, far.address]):
        lab.account.update({"host": HOST, "port": port, "transport": transport, "register": False})
        lab.resolves({(HOST, "A"): order})
        lines = [line for line in lab.report().lines if line.look is ProbeKind.OPTIONS]
        assert [line.status for line in lines] == [OK, WARNING]
        check(lines[1], WARNING, f"at {dead}, one of its addresses: ", "Calls that go there fail")


def test_hosts_file_counts_as_for_the_softphones(lab: Any, tmp_path: Any) -> None:
    here = FarEnd(tmp_path, "127.0.0.1")
    try:
        lab.account.update({"host": "localhost", "port": here.udp()})
        ai = {
            "ai": "synthflow",
            "host": "localhost",
            "port": here.udp(),
            "allowed_addresses": ["192.0.2.1"],
        }
        lab.trunk.update(ai)
        report = lab.report()
    finally:
        here.close()
    check(report.line("allowlist of udp-ip"), FAILED, "127.0.0.1", "Allowed IPs", row=TRUNK)
    check(report.line(f"OPTIONS localhost:{lab.account['port']}/udp"), OK, "200")


# -- STUN


@pytest.mark.parametrize(
    ("mapped", "status", "detail", "fix"),
    [
        (
            lambda source, which: ("198.51.100.7", 4000),
            OK,
            "198.51.100.7:4000, one mapping for all",
            "",
        ),
        (
            lambda source, which: ("198.51.100.7", 4000 + which),
            WARNING,
            "depends on",
            "public_address",
        ),
        (lambda source, which: source, OK, "no address translation", ""),
        (None, FAILED, "does not answer", "stun_server"),
    ],
)
def test_stun_shows_the_mapping(
    lab: Any, far: Any, mapped: Any, status: Status, detail: str, fix: str
) -> None:
    lab.account.update({"bind": far.address, "stun_server": far.stun(mapped)})
    check(lab.line("STUN", **SOON), status, detail, fix)


def _attribute(kind: int, value: bytes) -> bytes:
    return (
        kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + b"\0" * (-len(value) % 4)
    )


@given(
    before=st.lists(
        st.tuples(st.sampled_from([0x0001, 0x8022, 0x8028]), st.binary(max_size=24)), max_size=4
    ),
    host=st.ip_addresses(v=4),
    port=st.integers(1, 65535),
)
def test_stun_address_is_found_among_other_attributes(
    before: list[tuple[int, bytes]], host: ipaddress.IPv4Address, port: int
) -> None:
    """RFC 8489 section 14: attributes come in any order."""
    xored = (port ^ 0x2112).to_bytes(2, "big") + (int(host) ^ 0x2112A442).to_bytes(4, "big")
    attributes = b"".join(
        _attribute(kind, value) for kind, value in [*before, (0x0020, b"\0\x01" + xored)]
    )
    transaction = b"t" * 12
    answer = (
        b"\x01\x01"
        + len(attributes).to_bytes(2, "big")
        + b"\x21\x12\xa4\x42"
        + transaction
        + attributes
    )
    assert stun_address(answer, transaction) == (str(host), port)
    for other in (b"", answer[:20], b"\x01\x11" + answer[2:]):
        assert stun_address(other, transaction) is None
    assert stun_address(answer, b"u" * 12) is None


# -- IPv6


@pytest.fixture
def six(tmp_path: Path) -> Iterator[FarEnd]:
    far = FarEnd(tmp_path, "::1")
    yield far
    far.close()


@pytest.mark.parametrize(("host", "transport"), [("::1", "udp"), ("[::1]", "tcp")])
def test_ipv6_far_end_is_reached_by_its_address(
    lab: Lab, six: FarEnd, host: str, transport: str
) -> None:
    port = six.udp() if transport == "udp" else six.stream()
    lab.account.update({"host": host, "port": port, "transport": transport, "bind": "::1"})
    report = lab.report()
    assert not report.failed
    assert report.line(f"OPTIONS [::1]:{port}/{transport}").status is OK
    assert report.line("registration of caller").status is OK
    options = next(request for request in six.requests if request.method == "OPTIONS")
    assert (options.via.host, options.uri.host) == ("[::1]", "[::1]")


@pytest.mark.parametrize("received", ["::1", "[::1]"])
def test_received_may_bracket_an_ipv6_address(lab: Lab, six: FarEnd, received: str) -> None:
    """RFC 5118 section 4.5: RFC 3261's grammar has no brackets there, but some servers write them."""

    def answer(request: Request) -> Response:
        said = fine(request)
        return said.setting("Via", f"{request.get('Via')};received={received}")

    port = six.udp(answer)
    lab.account.update({"host": "::1", "port": port, "bind": "::1"})
    assert lab.report().line(f"address [::1]:{port}/udp").detail == "::1, no address translation"


def test_softphones_resolve_ipv4_only(lab: Lab, six: FarEnd) -> None:
    lab.account.update({"host": HOST, "port": six.udp()})
    lab.resolves({(HOST, "AAAA"): ["::1"]})
    report = lab.report()
    check(report.line(f"DNS {HOST}"), FAILED, "AAAA ::1: no IPv4", "A record")
    assert report.line("registration of caller").status is FAILED
    assert six.requests == []


def test_mixed_address_families_break_no_probe(lab: Lab) -> None:
    lab.trunk.update({"termination": "[::1]:5060", "transport": "tcp"})
    lab.plain["stand_in"] = {"bind": "127.0.0.1"}
    lines = [
        line
        for line in lab.report(patience=1.5).lines
        if line.look in (ProbeKind.OPTIONS, ProbeKind.PORT)
    ]
    assert not [line for line in lines if "probe broke" in line.fix]


# -- hosts that the file names without a port

RECORDS = {
    f"_sip._udp.{HOST}": [
        (20, 0, "spare.example", 5060),
        (10, -1, "light.example", 5061),
        (10, -9, "sbc.example", 5070),
    ],
    "_sips._tcp.none.example": [(0, 0, "", 0)],
}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(services, "srv_records", lambda service: RECORDS.get(service, []))
    services.server_of.cache_clear()
    yield
    services.server_of.cache_clear()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("host", "port", "transport", "found"),
    [
        (HOST, None, "udp", ("sbc.example", 5070)),  # the first priority, the greatest weight
        (HOST, 5062, "udp", (HOST, 5062)),  # RFC 3263 section 4.2: a port is taken as it is
        (HOST, None, "tcp", (HOST, 5060)),
        (HOST, None, "tls", (HOST, 5061)),
        ("192.0.2.1", None, "udp", ("192.0.2.1", 5060)),
        ("none.example", None, "tls", ("none.example", 5061)),  # RFC 2782: no such service there
    ],
)
def test_a_name_without_a_port_is_served_where_its_srv_records_say(
    host: str, port: int | None, transport: Transport, found: tuple[str, int]
) -> None:
    assert services.server_of(host, port, transport) == found


@pytest.mark.usefixtures("served")
def test_phones_and_preflight_go_where_srv_records_say(
    lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a port an account was refused, and a termination was called at the transport's own
    port.
    """
    port = far.udp()
    monkeypatch.setitem(RECORDS, f"_sip._udp.{HOST}", [(0, 0, "sbc.example", port)])
    del lab.account["port"]
    lab.account["host"] = HOST
    lab.trunk["termination"], lab.plain["stand_in"] = HOST, {"bind": "127.0.0.1"}
    deployment = lab.deployment()
    assert own_phone(deployment, "caller").proxy == f"sbc.example:{port}"
    assert stand_in(deployment, deployment.trunks[0]).proxy == f"sbc.example:{port}"
    assert {HOST, "sbc.example"} <= set(sources(deployment) or ())
    report = lab.report(resolver=far.dns({("sbc.example", "A"): [far.address]}))
    assert report.line("DNS sbc.example").status is OK
    assert report.line("registration of caller").status is OK
