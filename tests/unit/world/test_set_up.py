"""What a tenant is made of before a call comes: addresses, certificates, faults, numbers, routes, records."""

from __future__ import annotations

import ast
import errno
import socket
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

import harness.world
from harness.deployment import Deployment, from_plain, to_plain
from harness.errors import SelectionError
from harness.integrations import load
from harness.sip.message import Request
from harness.sip.uri import Uri
from harness.support.resources import EXAMPLES
from harness.world import addresses
from harness.world.addresses import StartError, take_block
from harness.world.b2bua import Caller
from harness.world.faults import FAULTS, Faults
from harness.world.media.digits import ReceivedDigit
from harness.world.pki import Authority
from harness.world.platform.routing import GroupRoute, LineRoute, Routes
from harness.world.synthflow.record import CallRecord, Records
from harness.world.wire.transport import Traced


def deployment(name: str = "talkdesk") -> Deployment:
    return load(EXAMPLES / f"simulated-{name}.toml")


def faults(integration: str = "talkdesk") -> Faults:
    return Faults(integration, frozenset(deployment().lines))


# -- addresses


def test_a_block_is_exclusive_until_it_is_released() -> None:
    blocks = [take_block() for _ in range(3)]
    assert len({str(block) for block in blocks}) == 3
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
        other.bind((blocks[0][1].rpartition(".")[0] + ".254", addresses.LOCK_PORT))
    for block in blocks:
        block.release()
    with pytest.raises(IndexError):
        blocks[0][254]


def test_without_loopback_aliases_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unable(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(errno.EADDRNOTAVAIL, "unable")

    monkeypatch.setattr(socket, "socket", Unable)
    with pytest.raises(StartError, match=r"127\.0\.0\.0/8"):
        take_block()


# -- certificates


def test_certificates_good_and_bad(tmp_path: Path) -> None:
    def read(path: Path) -> x509.Certificate:
        return x509.load_pem_x509_certificate(path.read_bytes())

    authority = Authority(tmp_path / "pki")
    ca = read(authority.ca_file)
    good = read(authority.issue("good", ["sip.example", "127.0.0.5"]).certificate)
    good.verify_directly_issued_by(ca)
    names = good.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["sip.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.5"]
    bad = {kind: read(f.certificate) for kind, f in authority.bad_certificates("bad", ["sip.example"]).items()}
    assert bad["expired"].not_valid_after_utc < good.not_valid_before_utc + timedelta(days=1)
    bad["expired"].verify_directly_issued_by(ca)
    with pytest.raises(ValueError, match="Issuer"):
        bad["self-signed"].verify_directly_issued_by(ca)
    wrong = bad["wrong-name"].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "sip.example" not in wrong.get_values_for_type(x509.DNSName)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "pki").iterdir()} == {0o600}
    authority.remove()
    assert not (tmp_path / "pki").exists()


# -- faults


def test_a_fault_holds_for_its_line_or_for_all() -> None:
    switch, changes = faults(), []
    switch.on_change.append(lambda: changes.append(switch.listed()))
    switch.set("from-anonymous", "inbound")
    assert switch.on("from-anonymous", "inbound")
    assert not switch.on("from-anonymous", "ivr")
    switch.set("from-anonymous")
    assert switch.on("from-anonymous", "ivr")
    switch.clear("from-anonymous")
    switch.clear("from-anonymous", "inbound")
    assert not switch
    assert changes == [
        ["from-anonymous@inbound"],
        ["from-anonymous", "from-anonymous@inbound"],
        ["from-anonymous@inbound"],
        [],
    ]
    switch.set("heavy-loss")
    switch.clear_all()
    assert switch.listed() == []


@pytest.mark.parametrize(
    ("integration", "name", "line", "says"),
    [
        ("talkdesk", "nonsense", None, "allowed: agent-audio-stops"),
        ("talkdesk", "rtp-bloked-both", None, r"not one of talkdesk \(perhaps rtp-blocked-both\)"),
        ("talkdesk", "selector-wrong", None, "one of gladly"),
        ("acme", "caller-header-missing", None, "not one of generic"),  # a customer's own integration is an SBC
        ("talkdesk", "password-wrong", "inbound", "whole tenant"),
        ("talkdesk", "from-anonymous", "Inbound", r"no such line \(perhaps inbound\); allowed: "),
    ],
)
def test_unknown_faults_and_lines_are_refused(integration: str, name: str, line: str | None, says: str) -> None:
    with pytest.raises(SelectionError, match=says):
        faults(integration).set(name, line)


def test_every_fault_changes_something() -> None:
    """Faults are read by their names, which stand as strings in the world's code."""
    sources = Path(harness.world.__file__).parent.rglob("*.py")
    nodes = (node for source in sources for node in ast.walk(ast.parse(source.read_text())))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert {name.removesuffix("-rejected") for name in FAULTS} <= strings


def test_a_fault_of_one_line_is_asked_for_by_line() -> None:
    """``trunk-inactive@LINE`` was taken, and passed over where the world asked for the whole tenant's alone."""
    sources = Path(harness.world.__file__).parent.rglob("*.py")
    calls = [n for source in sources for n in ast.walk(ast.parse(source.read_text())) if isinstance(n, ast.Call)]
    asked = [call.args for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "on"]
    alone = {args[0].value for args in asked if len(args) == 1 and isinstance(args[0], ast.Constant)}
    assert not {name for name in alone & FAULTS.keys() if FAULTS[name].per_line}


# -- numbers and callers


def invite(*headers: tuple[str, str], from_: str = "<sip:+14155550101@carrier.example>;tag=1") -> Request:
    lines = [("From", from_), ("To", "<sip:x@y>"), ("Call-ID", "1"), ("CSeq", "1 INVITE"), *headers]
    return Request.build("INVITE", "sip:x@y", lines)


def test_only_a_trusted_peer_asserts_a_number() -> None:
    request = invite(("P-Asserted-Identity", "<sip:+14155550102@carrier.example>"))
    assert Caller.of(request, "US", asserted=True).number == "+14155550102"
    assert Caller.of(request, "US", asserted=False).number == "+14155550101"


def test_a_withheld_number_is_only_asserted_to_trusted_peers() -> None:
    request = invite(
        ("P-Asserted-Identity", "<sip:+14155550101@carrier.example>"),
        ("Privacy", "id"),
        from_='"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
    )
    caller = Caller.of(request, "US", asserted=True)
    assert str(caller.from_("here")) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert caller.asserted("here") == [("P-Asserted-Identity", "<sip:+14155550101@here>"), ("Privacy", "id")]
    shown = caller.showing("+13125550100")
    assert str(shown.from_("here")) == "<sip:+13125550100@here>"
    assert str(shown.written("national", "US").from_("here")) == "<sip:3125550100@here>"
    assert shown.written("national", "DE") == shown.written("e164", "US") == shown


# -- routes


def route_of(routes: Routes, deployment: Deployment, trunk: str) -> LineRoute:
    route = routes.find(deployment.did("inbound", trunk))
    assert isinstance(route, LineRoute)
    return route


def test_wrong_settings_without_an_alternative_lead_nowhere() -> None:
    """One trunk, one assistant, one group."""
    plain = to_plain(deployment())
    plain["trunks"] = plain["trunks"][:1]
    plain["lines"] = {
        "inbound": {"did": "+13125550100", "trunk": "udp-ip", "assistant": "main", "fallback": "billing"},
    }
    plain["groups"] = {"billing": plain["groups"]["billing"]}
    plain["assistants"] = {"main": plain["assistants"]["main"]}
    plain["campaign"] = None
    small = from_plain(plain)
    switch = Faults("talkdesk", frozenset(small.lines))
    routes = Routes(small, switch)
    route = route_of(routes, small, "udp-ip")
    for fault in ("route-wrong-did", "route-wrong-trunk", "fallback-wrong-group", "group-wrong"):
        switch.set(fault)
    assert routes.assistant_did(route) == small.numbers.no_such_number
    assert routes.trunk(route) is None
    assert routes.fallback(route.name) is None
    assert routes.group_behind("billing", "inbound") is None


# -- call records


def traced(text: bytes, direction: str = "received") -> Traced:
    return Traced(1.0, "synthflow", direction, "udp", ("127.0.0.1", 32681), ("127.0.0.2", 5060), text)  # type: ignore[arg-type]


def test_messages_from_before_the_record_belong_to_it() -> None:
    records = Records()
    records.trace("call-1", traced(b"INVITE sip:x SIP/2.0\r\n"))
    records.trace("call-2", traced(b"OPTIONS sip:x SIP/2.0\r\n"))
    record = CallRecord("id", "+14155550101", "+12065550100")
    records.add(record, "call-1")
    records.trace("call-1", traced(b"SIP/2.0 100 Trying\r\n", "sent"))
    told = record.plain()["witness"]["messages"]
    assert [(m["direction"], m["local"], m["text"][:7]) for m in told] == [
        ("received", "127.0.0.1:32681", "INVITE "),
        ("sent", "127.0.0.1:32681", "SIP/2.0"),
    ]


def test_old_records_make_room() -> None:
    records = Records(most_over=2, kept_s=0.0)
    for number in range(5):
        record = CallRecord(str(number), "", "")
        records.add(record, f"call-{number}")
        if number != 1:  # which is still up
            record.ended("completed", "caller", "normal clearing")
    records.add(CallRecord("5", "", ""), "call-5")
    assert [record.id for record in records.newest_first()] == ["5", "4", "3", "1"]
    assert records.of_sip("call-0") is None
    assert records.of_sip("call-1") is records.get("1")


def test_a_record_tells_what_was_heard() -> None:
    record = CallRecord("id", "+14155550101", "+12065550100")
    record.hear(7, 100.0, 100.1, -15.0)
    record.hear(7, 100.0, 100.3, -15.5)
    record.hear(9, 101.0, 101.1, -20.0)
    record.press(ReceivedDigit("0", 160, "rfc4733"))
    record.ended("completed", "caller", "normal clearing", "human_hangup")
    record.ended("failed", None, "too late")
    told = record.plain()
    assert [(m["mark"], m["at"], m["until"]) for m in told["witness"]["marks"]] == [
        (7, 100.0, 100.3),
        (9, 101.0, 101.1),
    ]
    assert told["witness"]["digits"][0]["method"] == "rfc4733"
    assert told["transcript"] == "human: [mark 7]\nhuman: [mark 9]\nhuman: [pressed 0]"
    assert (told["status"], told["telephony_hangup"], told["end_call_reason"]) == (
        "completed",
        "caller",
        "human_hangup",
    )


def test_an_extension_is_reached_by_the_ai_alone() -> None:
    plan = deployment()
    group = plan.groups["billing"].model_copy(update={"did": None, "user": "Kundendienst"})
    routes = Routes(plan.model_copy(update={"groups": {**plan.groups, "billing": group}}), faults())
    assert routes.from_ai(Uri.parse("sip:Kundendienst@acme.example;transport=tls")) == GroupRoute("billing")
    assert routes.from_ai(Uri.parse("sip:+18155550102@acme.example")) == GroupRoute("support")
    assert routes.from_ai(Uri.parse("sip:kundendienst@acme.example")) is None
    assert routes.find("Kundendienst") is None
