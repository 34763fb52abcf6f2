"""Registration of each phone, and of the stand-in's number."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.run.preflight import ProbeKind, of_file
from harness.sip.message import Request
from tests.unit.preflight.conftest import FAILED, OK, SOON, WARNING, check, registrar, says, silent

ROW = "Registration fails"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("proxy", [False, True])
def test_credentials_are_tried_and_nothing_is_registered(lab: Any, far: Any, algorithm: str, proxy: bool) -> None:
    lab.account["port"] = far.udp(registrar(algorithm=algorithm, proxy=proxy))
    check(lab.line("registration"), OK, "200 OK, digest accepted (realm carrier.example)")
    registers = [request for request in far.requests if request.method == "REGISTER"]
    assert not any(request.has("Contact") or request.has("Expires") for request in registers)
    assert [request.cseq.number for request in registers] == [1, 2]


def refuses_after_the_password(request: Request) -> Any:
    return says(403)(request) if request.has("Authorization") else registrar("another")(request)


ELSEWHERE = ("Contact", "<sip:node7.carrier.example:5062>;expires=600")


@pytest.mark.parametrize(
    ("answer", "status", "detail", "fix"),
    [
        (registrar("another"), FAILED, "credentials of +14155550101 refused (realm carrier.example)", "password"),
        (refuses_after_the_password, FAILED, "these credentials (realm carrier.example) or this address", "password"),
        (says(403), FAILED, "this address, before any password", "allowed IPs"),
        (says(404), FAILED, "does not know +14155550101", "phones.caller"),
        (says(501), WARNING, "no registrar", "register = false"),
        (says(500), WARNING, "500", "operator"),
        (says(400, reason="Missing Contact Header"), WARNING, "not known", "asks for the bindings alone"),
        (says(423), OK, "longer interval", ""),
        (says(200), OK, "without digest", ""),
        # RFC 3261 section 8.1.3.4 has a client go there; the softphones do not
        (says(302, ELSEWHERE), FAILED, "it sends on to node7.carrier.example:5062", "account's host and port"),
        (says(302), FAILED, "and does not say where", "operator"),
    ],
)
def test_what_a_registrar_answers(lab: Any, far: Any, answer: Any, status: Any, detail: str, fix: str) -> None:
    lab.account["port"] = far.udp(answer)
    check(lab.line("registration"), status, detail, "" if status is OK else ROW, fix)


def test_a_registrar_that_is_silent(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(silent)
    check(lab.line("registration", **SOON), FAILED, "no answer", ROW, "firewall")


@pytest.mark.parametrize("domain", ["carrier.example", "the host"])
def test_the_registrar_is_asked_for_what_the_phones_ask_it_for(lab: Any, far: Any, domain: str) -> None:
    port = far.udp(registrar())
    served = far.address if domain == "the host" else domain
    lab.account.update({"port": port, "domain": served})
    check(lab.line("registration"), OK, "digest accepted")
    asked = {(str(r.uri), r.to.uri.host) for r in far.requests if r.method == "REGISTER"}
    assert asked == {(f"sip:{far.address}:{port}" if domain == "the host" else f"sip:{served}", served)}


def test_the_stand_ins_number_registers_at_the_termination_uri(lab: Any, far: Any) -> None:
    """The guide's fields for it are Termination URI, user and password: there is no other domain."""
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address}
    termination = f"{far.address}:{far.udp(registrar())}"
    lab.trunk.update({"termination": termination, "username": "+14155550101", "password": "right"})
    check(lab.line("registration of trunk"), OK, "digest accepted")
    asked = {(str(r.uri), r.to.uri.host) for r in far.requests if r.to.uri.user == "+14155550101"}
    assert asked - {("sip:carrier.example", "carrier.example")} == {(f"sip:{termination}", far.address)}
    lab.trunk["password"] = "wrong"
    check(lab.line("registration of trunk"), FAILED, "refused", ROW, "trunks.udp-ip")


@pytest.mark.parametrize("known", [True, False])
def test_no_password_is_made_up_for_a_variable_that_is_not_set(lab: Any, far: Any, tmp_path: Path, known: bool) -> None:
    """A registrar may lock an account after wrong ones."""
    lab.account["port"] = far.udp(registrar())
    lab.plain["phones"]["caller"] = {"account": "carrier", "number": "+14155550101", "password_env": "CALLER_PASSWORD"}
    lab.plain["stand_in"] = {"bind": far.address}
    lab.trunk["termination"] = f"{far.address}:{lab.account['port']}"
    file = tmp_path / "lab.toml"
    file.write_bytes(tomli_w.dumps(lab.plain).encode())
    environment = {"CALLER_PASSWORD": "right"} if known else {}
    found = {line.look: line for line in of_file(file, environment, **lab.settings).lines}
    secret, registered = found[ProbeKind.SECRET], found[ProbeKind.REGISTRATION]
    answered = [request for request in far.requests if request.has("Authorization")]
    if known:
        assert (secret.status, registered.status, len(answered)) == (OK, OK, 1)
    else:
        assert answered == []
        check(secret, FAILED, "not set", ROW, "export CALLER_PASSWORD")
        check(registered, FAILED, "a password is asked for", ROW, "phones.caller.password_env")
