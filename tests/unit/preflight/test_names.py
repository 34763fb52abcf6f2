"""DNS: addresses, SIP services, the platform's allowlist, and this machine's own table."""

import asyncio
from pathlib import Path
from typing import Any

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.run.preflight import ProbeKind, Status
from harness.run.preflight.network import allowlist_line
from harness.witness.ports import probes
from harness.witness.ports.probes import Probing, named_in
from tests.loopback import fresh_address
from tests.unit.preflight.conftest import FAILED, OK, WARNING, FarEnd, Lab, check

ROW, ROUTING = "Registration fails", "Calls not reaching Synthflow"
HOST = "sip.carrier.example"


def named(lab: Any, far: Any, zone: dict[tuple[str, str], list[str]], **options: Any) -> None:
    lab.account.update({"host": HOST, "port": far.udp()})
    lab.settings["resolver"] = far.dns(zone, **options)


def test_names_are_resolved(lab: Any, far: Any) -> None:
    named(lab, far, {(HOST, "A"): [far.address], (HOST, "AAAA"): ["2001:db8::1"]})
    check(lab.line(f"DNS {HOST}"), OK, f"A {far.address}, AAAA 2001:db8::1")
    check(lab.line("OPTIONS"), OK, "200")


def test_a_short_name_is_looked_up_as_the_softphones_do(lab: Any, far: Any) -> None:
    """By the search list of the machine's resolv.conf(5); a company's own SBC often has such a name."""
    lab.account.update({"host": "sbc01", "port": far.udp()})
    resolver = far.dns({("sbc01.acme.example", "A"): [far.address]})
    resolver.search = [dns.name.from_text("acme.example")]
    lab.settings["resolver"] = resolver
    check(lab.line("DNS sbc01"), OK, f"A {far.address}")
    check(lab.line("OPTIONS"), OK, "200")


def test_a_domain_that_has_services_and_no_address_exists(lab: Any, far: Any) -> None:
    """A SIP domain in place of a host: its SRV records are not followed."""
    named(lab, far, {(f"_sip._udp.{HOST}", "SRV"): ["10 10 5060 sbc1.carrier.example."], (HOST, "TXT"): ['"v=spf1"']})
    line = lab.line(f"DNS {HOST}")
    check(line, FAILED, "it has no address", ROW, "SRV")
    assert "does not exist" not in line.fix


def test_names_that_do_not_exist(lab: Any, far: Any) -> None:
    named(lab, far, {})
    check(lab.line(f"DNS {HOST}"), FAILED, "it has no address", ROW, "accounts.carrier.host: the name does not exist")
    check(lab.line("OPTIONS"), FAILED, "has no address", ROW, "name")
    check(lab.line("registration"), FAILED, "has no address", ROW, "does not resolve")


@pytest.mark.parametrize(
    ("trunk", "row", "fix"),
    [
        ({"termination": "sbc.acme.example:5060"}, ROW, "Termination URI"),
        ({"ai": "synthflow", "host": "sbc.acme.example"}, ROUTING, "udp-ip"),
    ],
)
def test_a_trunks_name_that_does_not_exist(lab: Any, far: Any, trunk: dict[str, str], row: str, fix: str) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update(trunk)
    lab.settings["resolver"] = far.dns({})
    check(lab.line("DNS sbc.acme.example"), FAILED, "no address", row, fix)


def test_name_servers_that_are_silent(lab: Any, far: Any) -> None:
    named(lab, far, {}, silent=True)
    lab.trunk.update({"ai": "synthflow", "host": "ai.example", "port": 5060, "allowed_addresses": ["192.0.2.1"]})
    report = lab.report()
    for name, status, detail, fix in (
        (f"DNS {HOST}", FAILED, "the name servers do not answer", "DNS servers"),
        ("DNS service carrier.example", WARNING, "not known: the name servers do not answer", "DNS servers"),
        ("allowlist of udp-ip", WARNING, "no address of ai.example is known", "nothing is known"),
        (f"OPTIONS {HOST}:{lab.account['port']}/udp", FAILED, "has no address: the name servers do not answer", "name"),
    ):
        check(report.line(name), status, detail, ROW, fix)


NAPTR = '10 100 "s" "SIP+D2U" "" _sip._udp.carrier.example.'
#: RFC 3263 section 4.1 asks for SIP's alone: a university's name has a RADIUS server's NAPTR, and ENUM's.
OTHERS = ['100 10 "s" "x-eduroam:radius.tls" "" _radsec._tcp.carrier.example.', '1 1 "u" "E2U+sip" "!^.*$!sip:a@b!" .']


@pytest.mark.parametrize(
    ("naptr", "srv", "status", "detail", "fix"),
    [
        ([], [], OK, "announces no SIP service", ""),
        (OTHERS, [], OK, "announces no SIP service", ""),
        ([*OTHERS, NAPTR.lower()], [], OK, "NAPTR sip+d2u", ""),
        ([NAPTR], ["10 10 PORT sip.carrier.example."], OK, "NAPTR SIP+D2U; SRV _sip._udp sip.carrier.example:PORT", ""),
        ([NAPTR], ["10 10 5099 sip.carrier.example."], WARNING, "but the file says port PORT", "host and port"),
        (['10 100 "s" "SIPS+D2T" "" x.'], [], WARNING, "nothing for udp", "transport"),
        ([], ["0 0 0 ."], WARNING, "the domain says that it has no SIP over udp", "transport"),  # RFC 2782
    ],
)
def test_services_of_a_domain(
    lab: Any, far: Any, naptr: list[str], srv: list[str], status: Status, detail: str, fix: str
) -> None:
    zone = {(HOST, "A"): [far.address], ("carrier.example", "A"): [far.address]}
    named(lab, far, zone)
    port = str(lab.account["port"])
    zone |= {("carrier.example", "NAPTR"): naptr} if naptr else {}
    zone |= {("_sip._udp.carrier.example", "SRV"): [record.replace("PORT", port) for record in srv]} if srv else {}
    check(lab.line("DNS service"), status, detail.replace("PORT", port), "" if status is OK else ROW, fix)


def test_addresses_need_no_dns(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.settings["resolver"] = far.dns({}, silent=True)
    assert not [line for line in lab.report().lines if line.name.startswith("DNS")]


@pytest.mark.parametrize(
    ("addresses", "allowed", "status"),
    [
        (["198.51.100.8", "198.51.100.9"], ["198.51.100.8", "198.51.100.9", "198.51.100.10"], OK),
        (["198.51.100.8", "198.51.100.9"], ["198.51.100.8"], FAILED),
        (["2001:db8::1"], ["2001:DB8:0::1"], OK),
        (["2001:db8::1"], ["[2001:db8::1]"], OK),
        (["2001:db8::1"], ["2001:db8::/32"], OK),
        (["2001:db8::1"], ["2001:db8:1::/48"], FAILED),
        (["2001:db8::1"], ["ai.example"], FAILED),
    ],
)
def test_the_platforms_allowlist(
    lab: Lab, far: FarEnd, addresses: list[str], allowed: list[str], status: Status
) -> None:
    lab.trunk.update({"ai": "synthflow", "host": "ai.example", "allowed_addresses": allowed})
    kind = "AAAA" if ":" in addresses[0] else "A"
    probing = Probing(lab.deployment(), resolver=far.dns({("ai.example", kind): addresses}))
    line = asyncio.run(allowlist_line(probing, probing.deployment.trunks[0]))
    said = "is listed" if status is OK else f"{addresses[-1]}, which allowed_addresses does not list"
    check(line, status, said, "" if status is OK else ROW, "" if status is OK else "Allowed IPs")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_one_of_several_addresses_that_is_dead_is_said(lab: Any, far: Any, transport: str) -> None:
    """Calls go to any of them (RFC 3263 section 4.2), in the order that DNS gives."""
    port = far.udp() if transport == "udp" else far.stream()
    dead = fresh_address()
    for order in ([far.address, dead], [dead, far.address]):
        lab.account.update({"host": HOST, "port": port, "transport": transport, "register": False})
        lab.settings["resolver"] = far.dns({(HOST, "A"): order})
        lines = [line for line in lab.report().lines if line.look is ProbeKind.OPTIONS]
        assert [line.status for line in lines] == [OK, WARNING]
        check(lines[1], WARNING, f"at {dead}, one of its addresses: ", ROW, "Calls that go there fail")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", " ", "\t"]),
            st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9.-]{0,12}", fullmatch=True), min_size=1, max_size=3),
            st.sampled_from(["", "#was other.example", " # sip.other.example"]),
        ),
        max_size=5,
    )
)
def test_a_table_of_hosts_names_each_of_its_lines_names(lines: list[tuple[str, list[str], str]]) -> None:
    """In lower or upper case; remarks name nothing."""
    table = "# 192.0.2.9 gone.example\n\n" + "\n".join(
        f"{indented}192.0.2.{number}\t{' '.join(names)}{remark}"
        for number, (indented, names, remark) in enumerate(lines)
    )
    assert named_in(table) == {name.lower() for _, names, _ in lines for name in names}


def test_a_remark_in_another_encoding_hides_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probes, "HOSTS", tmp_path / "hosts")
    (tmp_path / "hosts").write_bytes("127.0.0.1 LocalHost # Büro\n".encode("latin-1"))
    assert asyncio.run(probes.by_hosts_file("other.example")) == ()
    assert ("A", "127.0.0.1") in asyncio.run(probes.by_hosts_file("localhost"))


def test_the_hosts_file_counts_over_ipv4_as_for_the_softphones(lab: Any, tmp_path: Any) -> None:
    here = FarEnd(tmp_path, "127.0.0.1")
    try:
        lab.account.update({"host": "localhost", "port": here.udp()})
        ai = {"ai": "synthflow", "host": "localhost", "port": here.udp(), "allowed_addresses": ["192.0.2.1"]}
        lab.trunk.update(ai)
        report = lab.report()
    finally:
        here.close()
    check(report.line("allowlist of udp-ip"), FAILED, "127.0.0.1", ROW, "Allowed IPs")
    check(report.line(f"OPTIONS localhost:{lab.account['port']}/udp"), OK, "200")
