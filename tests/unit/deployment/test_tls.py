"""TLS is verified, always: nothing in a deployment file can say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.errors import DeploymentError
from harness.integrations import load
from harness.preflight import variables
from harness.scenario.phones import own_phone
from tests.unit.safety.conftest import Lab


def test_every_phone_on_tls_verifies_whom_it_talks_to() -> None:
    deployment: Deployment = Lab()(accounts__carrier__transport="tls")
    for name in deployment.phones:
        assert own_phone(deployment, name).tls.verify


@pytest.mark.parametrize("table", ["", "[accounts.carrier]", "[synthflow]"])
def test_authorities_that_openssl_could_not_read_are_a_mistake_of_the_file(tmp_path: Path, table: str) -> None:
    """As Windows exports them (DER)."""
    der = tmp_path / "ca.cer"
    der.write_bytes(b"\x30\x82\x03\x0d\x30\x82\x01\xf5")
    path = tmp_path / "x.toml"
    live = (Path(__file__).parents[3] / "scenarios" / "deployments" / "live-talkdesk.toml").read_text(encoding="utf-8")
    given = f"ca_file = '{der}'\n"
    path.write_text(live.replace(f"{table}\n", f"{table}\n{given}", 1) if table else given + live)
    with pytest.raises(DeploymentError) as caught:
        load(path, dict.fromkeys(variables(path), "-"))
    key = f"{table.strip('[]')}.ca_file" if table else "ca_file"
    assert f"{key}: '{der}' has no certificate in it; allowed: a PEM file" in str(caught.value)


@pytest.mark.parametrize("key", ["verify", "verify_tls", "insecure", "tls_verify"])
@pytest.mark.parametrize("table", ["accounts.carrier", "synthflow", "stand_in", "trunks.0"])
def test_no_key_switches_verification_off(tmp_path: Path, key: str, table: str) -> None:
    path = tmp_path / "x.toml"
    header = "[[trunks]]" if table.startswith("trunks") else f"[{table}]"
    path.write_text(f"{header}\n{key} = false\n")
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    assert f"{table}.{key}: unknown key" in str(caught.value)


FILE = Path(__file__).parents[3] / "scenarios" / "deployments" / "live-talkdesk.toml"


@pytest.mark.parametrize("where", ["ca_file", "synthflow.ca_file", "accounts.carrier.ca_file"])
@pytest.mark.parametrize("holds", [b"", b"\x30\x82\x03\x5d\x30\x82", b"PEM"])
def test_a_certificate_in_another_form_is_a_mistake_of_the_file(tmp_path: Path, where: str, holds: bytes) -> None:
    """As of Windows: it was there, and what broke over it named neither file nor key."""
    (tmp_path / "ca.cer").write_bytes(holds)
    table, _, key = where.rpartition(".")
    told, header = f'{key} = "{tmp_path / "ca.cer"}"\n', f"[{table}]\n"
    text = FILE.read_text(encoding="utf-8")
    assert header in text or not table
    path = tmp_path / "x.toml"
    path.write_text(text.replace(header, header + told, 1) if table else told + text, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, {}, secrets=False)
    what = f"{str(tmp_path / 'ca.cer')!r} holds nothing that begins -----BEGIN; allowed: the path of a PEM file"
    assert str(caught.value) == f"{path}: {where}: {what}"
    (tmp_path / "ca.cer").write_bytes(b"Subject: CN=x\r\n-----BEGIN CERTIFICATE-----\r\n")
    assert load(path, {}, secrets=False)
