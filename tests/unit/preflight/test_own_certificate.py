"""What a phone of ours shows on TLS in the place of the AI is looked at before a call: else the platform is blamed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from harness.preflight.lines import Status

HOST = "ai.example"


def pem(far: Any, **options: Any) -> str:
    """A certificate with its key in a file."""
    before = set(far.directory.glob("server-*.pem"))
    far.certificate(**{"names": (HOST,), **options})
    (made,) = set(far.directory.glob("server-*.pem")) - before
    return str(made)


def looked_at(lab: Any, far: Any, certificate: str | None, key: str | None) -> Any:
    lab.trunk.update({"transport": "tls", "port": far.closed_port(), "host": HOST})
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address, "certificate": certificate, "private_key": key}
    return lab.line("stand-in certificate")


def test_one_that_is_in_order(lab: Any, far: Any) -> None:
    file = pem(far)
    assert looked_at(lab, far, file, file).status is Status.OK


def test_without_one_no_connection_is_set_up(lab: Any, far: Any) -> None:
    file = pem(far)
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
    assert looked_at(lab, far, pem(far), str(key)).status is Status.FAILED


def test_what_is_no_certificate(lab: Any, far: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for file in (tmp_path / "empty.pem", tmp_path, tmp_path / "none.pem"):
        assert looked_at(lab, far, str(file), str(file)).status is Status.FAILED


@pytest.mark.parametrize("days", [{"days": -1, "starts": -9}, {"starts": 1}])
def test_one_that_does_not_count_now(lab: Any, far: Any, days: dict[str, int]) -> None:
    file = pem(far, **days)
    line = looked_at(lab, far, file, file)
    assert (line.status, line.detail[:12]) == (Status.FAILED, "counts from ")


@pytest.mark.parametrize("names", [("other.example",), ("*.example",), ()])
def test_one_that_is_made_out_to_another(lab: Any, far: Any, names: tuple[str, ...]) -> None:
    file = pem(far, names=names)
    line = looked_at(lab, far, file, file)
    assert line.status is Status.WARNING
    assert f"the trunk calls {HOST}" in line.detail


def test_without_tls_nobody_asks(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp()
    lab.plain["stand_in"] = {"bind": far.address}
    assert not [line for line in lab.report().lines if line.name.startswith("stand-in certificate")]
