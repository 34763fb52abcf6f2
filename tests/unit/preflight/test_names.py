"""DNS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.run.preflight import ProbeKind, ProbeResult, Status
from harness.run.preflight.names import allowlist_line
from harness.witness.ports import probes
from harness.witness.ports.probes import Probing, named_in
from tests.loopback import fresh_address
from tests.unit.preflight.conftest import FarEnd, Lab
from tests.unit.preflight.probing import FAILED, OK, WARNING, check


def named(lab: Any, far: Any, zone: dict[tuple[str, str], list[str]], **options: Any) -> None:
    lab.account.update({"host": "sip.carrier.example", "port": far.udp()})
    lab.settings["resolver"] = far.dns(zone, **options)


def test_names_are_resolved(lab: Any, far: Any) -> None:
    named(lab, far, {("sip.carrier.example", "A"): [far.address], ("sip.carrier.example", "AAAA"): ["2001:db8::1"]})
    check(lab.line("DNS sip.carrier.example"), OK, f"A {far.address}, AAAA 2001:db8::1")
    check(lab.line("OPTIONS"), OK, "200")


def test_a_short_name_is_looked_up_as_the_softphones_do(lab: Any, far: Any) -> None:
    """By the search list of the machine's resolv.conf(5); a company's own SBC is rarely called by its whole name."""
    lab.account.update({"host": "sbc01", "port": far.udp()})
    resolver = far.dns({("sbc01.acme.example", "A"): [far.address]})
    resolver.search = [dns.name.from_text("acme.example")]
    lab.settings["resolver"] = resolver
    check(lab.line("DNS sbc01"), OK, f"A {far.address}")
    check(lab.line("OPTIONS"), OK, "200")


def test_a_domain_that_has_services_and_no_address_is_there(lab: Any, far: Any) -> None:
    """A SIP domain in place of a host: its SRV records are not followed."""
    zone = {("_sip._udp.sip.carrier.example", "SRV"): ["10 10 5060 sbc1.carrier.example."]}
    named(lab, far, zone | {("sip.carrier.example", "TXT"): ['"v=spf1"']})
    line = lab.line("DNS sip.carrier.example")
    check(line, FAILED, "it has no address", "Registration fails", "SRV")
    assert "does not exist" not in line.fix


def test_names_that_do_not_exist(lab: Any, far: Any) -> None:
    named(lab, far, {})
    check(
        lab.line("DNS sip.carrier.example"), FAILED, "it has no address", "Registration fails", "accounts.carrier.host"
    )
    assert "the name does not exist" in lab.line("DNS sip.carrier.example").fix
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


def allowlist_of(lab: Lab) -> ProbeResult:
    """The line on the trunk's allowlist, without a look at who answers at the addresses."""
    deployment = lab.deployment()
    probing = Probing(deployment, resolver=lab.settings.get("resolver"))
    return asyncio.run(allowlist_line(probing, deployment.trunks[0]))


def test_the_platforms_allowlist(lab: Lab, far: FarEnd) -> None:
    lab.trunk.update({"ai": "synthflow", "host": "sip.synthflow.example"})
    lab.settings["resolver"] = far.dns({("sip.synthflow.example", "A"): ["198.51.100.8", "198.51.100.9"]})
    lab.trunk["allowed_addresses"] = ["198.51.100.8", "198.51.100.9", "198.51.100.10"]
    check(allowlist_of(lab), OK, "is listed")
    lab.trunk["allowed_addresses"] = ["198.51.100.8"]
    said = "198.51.100.9, which allowed_addresses does not list"
    check(allowlist_of(lab), FAILED, said, "Registration fails", "Allowed IPs")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_one_of_several_addresses_that_is_dead_is_said(lab: Any, far: Any, transport: str) -> None:
    """Calls go to any of them (RFC 3263 section 4.2), whichever DNS says first."""
    port = far.udp() if transport == "udp" else far.stream()
    dead = fresh_address()
    for order in ([far.address, dead], [dead, far.address]):
        lab.account.update({"host": "sip.carrier.example", "port": port, "transport": transport, "register": False})
        lab.settings["resolver"] = far.dns({("sip.carrier.example", "A"): order})
        lines = [line for line in lab.report().lines if line.look is ProbeKind.OPTIONS]
        assert [line.status for line in lines] == [OK, WARNING]
        check(lines[1], WARNING, f"at {dead}, one of its addresses: ", "Registration fails", "Calls that go there fail")


def test_name_servers_that_are_silent_tell_nothing_of_services_and_addresses(lab: Any, far: Any) -> None:
    named(lab, far, {}, silent=True)
    lab.trunk.update({"ai": "synthflow", "host": "ai.example", "port": 5060, "allowed_addresses": ["192.0.2.1"]})
    check(lab.line("DNS service"), WARNING, "not known: the name servers do not answer", "Registration", "DNS servers")
    check(lab.line("allowlist"), WARNING, "no address of ai.example is known", "Registration", "nothing is known")
    check(lab.line("OPTIONS sip.carrier"), FAILED, "has no address: the name servers do not answer", fix="name")


def test_services_that_are_not_sip_are_none(lab: Any, far: Any) -> None:
    """A university's name has a radius server's NAPTR, and ENUM's; RFC 3263 section 4.1 asks for SIP's alone."""
    zone = {("sip.carrier.example", "A"): [far.address], ("carrier.example", "A"): [far.address]}
    named(lab, far, zone)
    others = [
        '100 10 "s" "x-eduroam:radius.tls" "" _radsec._tcp.carrier.example.',
        '1 1 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
    ]
    zone[("carrier.example", "NAPTR")] = others
    check(lab.line("DNS service"), OK, "announces no SIP service")
    zone[("carrier.example", "NAPTR")] = [*others, '10 100 "s" "sip+d2u" "" _sip._udp.carrier.example.']
    check(lab.line("DNS service"), OK, "NAPTR sip+d2u")


def test_a_service_that_is_said_not_to_be_there(lab: Any, far: Any) -> None:
    """RFC 2782: a target of "." says so."""
    zone = {("sip.carrier.example", "A"): [far.address], ("_sip._udp.carrier.example", "SRV"): ["0 0 0 ."]}
    zone[("carrier.example", "A")] = [far.address]
    named(lab, far, zone)
    check(lab.line("DNS service"), WARNING, "the domain says that it has no SIP over udp", "Registration", "transport")


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        (["2001:DB8:0::1"], OK),
        (["[2001:db8::1]"], OK),
        (["2001:db8::/32"], OK),
        (["2001:db8:1::/48"], FAILED),
        (["sip.synthflow.example"], FAILED),
        (["192.0.2.1"], FAILED),
    ],
)
def test_an_allowlist_holds_addresses_and_networks_however_written(
    lab: Lab, far: FarEnd, allowed: list[str], status: Status
) -> None:
    lab.trunk.update({"ai": "synthflow", "host": "sip.synthflow.example", "allowed_addresses": allowed})
    lab.settings["resolver"] = far.dns({("sip.synthflow.example", "AAAA"): ["2001:db8::1"]})
    assert allowlist_of(lab).status is status


def test_the_hosts_file_counts_for_the_allowlist(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.trunk.update({"ai": "synthflow", "host": "localhost", "port": far.udp(), "allowed_addresses": ["192.0.2.1"]})
    check(lab.line("allowlist"), FAILED, "127.0.0.1", "Registration fails", "Allowed IPs")


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
    """In whatever case; remarks name nothing."""
    table = "# 192.0.2.9 gone.example\n\n" + "\n".join(
        f"{indented}192.0.2.{number}\t{' '.join(names)}{remark}"
        for number, (indented, names, remark) in enumerate(lines)
    )
    assert named_in(table) == {name.lower() for _, names, _ in lines for name in names}


def test_a_remark_in_another_encoding_hides_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probes, "HOSTS", tmp_path / "hosts")
    (tmp_path / "hosts").write_bytes("127.0.0.1 LocalHost.LocalDomain # Büro\n".encode("latin-1"))
    assert asyncio.run(probes.by_hosts_file("other.example")) == ()
    asked: list[str] = []

    async def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", 0))]

    async def looked(host: str) -> object:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return await probes.by_hosts_file(host)

    assert asyncio.run(looked("localhost.LOCALDOMAIN")) == (("A", "127.0.0.1"),)
    assert asked == ["localhost.LOCALDOMAIN"]


def test_localhost_is_asked_over_ipv4_as_the_softphones_do(lab: Any, tmp_path: Any) -> None:
    here = FarEnd(tmp_path, "127.0.0.1")
    try:
        lab.account.update({"host": "localhost", "port": here.udp()})
        check(lab.line("OPTIONS"), OK, "200")
    finally:
        here.close()
