"""What a harness phone shows on TLS in the place of the AI is looked at before a call: else the platform is blamed for it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from harness.run.preflight.lines import Status

HOST = "ai.example"


def looked_at(lab: Any, far: Any, certificate: str | None, key: str | None) -> Any:
    lab.trunk.update({"transport": "tls", "port": far.closed_port(), "host": HOST})
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address, "certificate": certificate, "private_key": key}
    return lab.line("stand-in certificate")


def test_one_that_is_in_order(lab: Any, far: Any) -> None:
    file = far.pem((HOST,))
    assert looked_at(lab, far, file, file).status is Status.OK


def test_without_one_no_connection_is_set_up(lab: Any, far: Any) -> None:
    file = far.pem((HOST,))
    for certificate, key, missing in (
        (None, None, "certificate"),
        (None, file, "certificate"),
        (file, None, "private_key"),
    ):
        line = looked_at(lab, far, certificate, key)
        assert (line.status, line.detail.partition(" is missing")[0]) == (Status.FAILED, f"stand_in.{missing}")


@pytest.mark.parametrize("encryption", [NoEncryption(), BestAvailableEncryption(b"secret")])
def test_a_key_that_is_anothers_or_is_locked(lab: Any, far: Any, tmp_path: Path, encryption: Any) -> None:
    key = tmp_path / "other.key"
    made = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    assert looked_at(lab, far, far.pem((HOST,)), str(key)).status is Status.FAILED


def test_what_is_no_certificate(lab: Any, far: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for file in (tmp_path / "empty.pem", tmp_path, tmp_path / "none.pem"):
        assert looked_at(lab, far, str(file), str(file)).status is Status.FAILED


@pytest.mark.parametrize("days", [{"days": -1, "starts": -9}, {"starts": 1}])
def test_one_that_does_not_count_now(lab: Any, far: Any, days: dict[str, int]) -> None:
    file = far.pem((HOST,), **days)
    line = looked_at(lab, far, file, file)
    assert (line.status, line.detail[:12]) == (Status.FAILED, "counts from ")


@pytest.mark.parametrize("names", [("other.example",), ("*.example",), ()])
def test_one_that_is_made_out_to_another(lab: Any, far: Any, names: tuple[str, ...]) -> None:
    file = far.pem(names)
    line = looked_at(lab, far, file, file)
    assert line.status is Status.WARNING
    assert f"the trunk calls {HOST}" in line.detail


def asked_who_connects(lab: Any, far: Any, own: str | None) -> Any:
    """A server that takes nobody without a certificate of its authority."""
    context = far.certificate()
    context.load_verify_locations(far.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    lab.plain["ca_file"] = far.ca_file
    lab.account.update({"transport": "tls", "port": far.stream(context=context)})
    if own:
        lab.account.update({"certificate": own, "private_key": own})
    return lab.report()


def test_a_server_that_asks_who_connects_gets_what_the_account_has(lab: Any, far: Any) -> None:
    report = asked_who_connects(lab, far, far.pem((HOST,)))
    assert {line.status for line in report.lines if "carrier" in line.name or "TLS" in line.name} == {Status.OK}
    assert "own certificate of carrier" in {line.name for line in report.lines}
    assert far.requests, "requests are sent over that connection"


def test_a_server_that_asks_in_vain_says_what_it_wants(lab: Any, far: Any) -> None:
    report = asked_who_connects(lab, far, None)
    (line,) = [line for line in report.lines if line.name.startswith("TLS")]
    assert line.status is Status.FAILED
    assert "(certificate and private_key)" in line.fix
    assert not [line for line in report.lines if line.name.startswith("own certificate")]


def test_one_whose_key_is_anothers_is_said_by_itself(lab: Any, far: Any) -> None:
    lab.account.update({"transport": "tls", "port": far.stream(context=far.certificate())})
    lab.account.update({"certificate": far.pem((HOST,)), "private_key": far.pem((HOST,))})
    lab.plain["ca_file"] = far.ca_file
    assert {line.name for line in lab.report().lines if line.status is Status.FAILED} == {"own certificate of carrier"}
