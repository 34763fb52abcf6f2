"""DNS."""

from __future__ import annotations

from typing import Any

from tests.unit.preflight.probing import FAILED, OK, WARNING, check


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
