"""Registration of each phone, and the digest realm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.run.preflight import ProbeKind, of_file
from harness.sip.message import Request, Response
from tests.unit.preflight.conftest import SOON
from tests.unit.preflight.probing import FAILED, OK, WARNING, check, registrar, says, silent


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
    lab.account["port"] = far.udp(says(400, reason="Missing Contact Header"))
    check(lab.line("registration"), WARNING, "not known", "Registration fails", "asks for the bindings alone")
    lab.account["port"] = far.udp(says(423))
    check(lab.line("registration"), OK, "longer interval")
    lab.account["port"] = far.udp(says(200))
    check(lab.line("registration"), OK, "without digest")
    lab.account["port"] = far.udp(silent)
    check(lab.line("registration", **SOON), FAILED, "no answer", "Registration fails", "firewall")


@pytest.mark.parametrize("status", [301, 302, 305])
def test_a_registrar_that_sends_elsewhere(lab: Any, far: Any, status: int) -> None:
    """RFC 3261 section 8.1.3.4 has a client go there; the softphones do not, and each case with that phone breaks."""
    lab.account["port"] = far.udp(says(status, ("Contact", "<sip:node7.carrier.example:5062>;expires=600")))
    line = lab.line("registration")
    check(line, FAILED, "it sends on to node7.carrier.example:5062", "Registration fails", "account's host and port")
    lab.account["port"] = far.udp(says(status))
    check(lab.line("registration"), FAILED, "and does not say where", "Registration fails", "operator")


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


def stand_ins_number(lab: Any, far: Any) -> str:
    """Its Termination URI is the registrar that knows it."""
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address}
    termination = f"{far.address}:{far.udp(registrar())}"
    lab.trunk.update({"termination": termination, "username": "+14155550101", "password": "right"})
    return termination


def test_the_stand_ins_own_number(lab: Any, far: Any) -> None:
    stand_ins_number(lab, far)
    check(lab.line("registration of trunk"), OK, "digest accepted")
    lab.trunk["password"] = "wrong"
    check(lab.line("registration of trunk"), FAILED, "refused", "Registration fails", "trunks.udp-ip")


@pytest.mark.parametrize("domain", ["carrier.example", "the host"])
def test_the_registrar_is_asked_for_what_the_phones_ask_it_for(lab: Any, far: Any, domain: str) -> None:
    """For the domain, or for the place where that is the domain's: another answer would be of another request."""
    port = far.udp(registrar())
    served = far.address if domain == "the host" else domain
    lab.account.update({"port": port, "domain": served})
    check(lab.line("registration"), OK, "digest accepted")
    asked = {(str(r.uri), r.to.uri.host) for r in far.requests if r.method == "REGISTER"}
    assert asked == {(f"sip:{far.address}:{port}" if domain == "the host" else f"sip:{served}", served)}


def test_the_stand_ins_number_is_the_termination_uris(lab: Any, far: Any) -> None:
    """The AI's side has no other domain to register at: the guide's fields for it are Termination URI, user and password."""
    termination = stand_ins_number(lab, far)
    check(lab.line("registration of trunk"), OK, "digest accepted")
    asked = {(str(r.uri), r.to.uri.host) for r in far.requests if r.to.uri.user == "+14155550101"}
    assert asked - {("sip:carrier.example", "carrier.example")} == {(f"sip:{termination}", far.address)}


@pytest.mark.parametrize("known", [True, False])
def test_no_password_is_made_up_where_the_one_that_the_file_names_is_not_set(
    lab: Any, far: Any, tmp_path: Path, known: bool
) -> None:
    """A registrar may lock an account out for wrong ones."""
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
        check(secret, FAILED, "not set", "Registration fails", "export CALLER_PASSWORD")
        check(registered, FAILED, "a password is asked for", "Registration fails", "phones.caller.password_env")
