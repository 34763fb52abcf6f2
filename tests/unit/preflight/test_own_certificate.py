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


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        (None, None, "stand_in.certificate is missing"),
        (None, "good", "stand_in.certificate is missing"),
        ("good", None, "stand_in.private_key is missing"),
        ("good", "other.key", "KEY_VALUES_MISMATCH"),
        ("good", "locked.key", ""),
        ("empty.pem", "empty.pem", ""),
        ("none.pem", "none.pem", "No such file"),
        (".", ".", ""),
    ],
)
def test_one_that_cannot_be_shown(
    lab: Any, far: Any, tmp_path: Path, certificate: str | None, key: str | None, said: str
) -> None:
    good = far.pem((HOST,))
    (tmp_path / "empty.pem").touch()
    made = ec.generate_private_key(ec.SECP256R1())
    for name, encryption in (("other.key", NoEncryption()), ("locked.key", BestAvailableEncryption(b"secret"))):
        (tmp_path / name).write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    shown, own_key = (name and (good if name == "good" else str(tmp_path / name)) for name in (certificate, key))
    line = looked_at(lab, far, shown, own_key)
    assert line.status is Status.FAILED
    assert said in line.detail


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
