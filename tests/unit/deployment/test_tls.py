"""TLS is verified, always: nothing in a deployment file can say otherwise. Its certificates are
found from where it is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.errors import DeploymentError
from harness.integrations import load
from harness.report.scope import content_of
from harness.scenario.phones import own_phone
from tests.unit.deployment.example_files import loaded, mistakes
from tests.unit.safety.conftest import Lab


def test_every_phone_on_tls_verifies_whom_it_talks_to() -> None:
    deployment: Deployment = Lab()(accounts__carrier__transport="tls")
    for name in deployment.phones:
        assert own_phone(deployment, name).tls.verify


@pytest.mark.parametrize("key", ["verify", "verify_tls", "insecure", "tls_verify"])
@pytest.mark.parametrize("table", ["accounts.carrier", "synthflow", "stand_in", "trunks.0"])
def test_no_key_switches_verification_off(tmp_path: Path, key: str, table: str) -> None:
    path = tmp_path / "x.toml"
    header = "[[trunks]]" if table.startswith("trunks") else f"[{table}]"
    path.write_text(f"{header}\n{key} = false\n")
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    assert f"{table}.{key}: unknown key" in str(caught.value)


@pytest.mark.parametrize("where", ["ca_file", "synthflow.ca_file", "accounts.carrier.ca_file"])
@pytest.mark.parametrize(
    "holds", [b"", b"\x30\x82\x03\x5d\x30\x82", b"PEM", b"-----BEGIN PRIVATE KEY-----"]
)
def test_a_certificate_in_another_form_is_a_mistake_of_the_file(
    tmp_path: Path, where: str, holds: bytes
) -> None:
    """As of Windows: it was there, and what broke over it named neither file nor key."""
    file = tmp_path / "ca.cer"
    file.write_bytes(holds)
    (said,) = mistakes(tmp_path, "live-talkdesk", {where: str(file)})
    what = f"no certificate in {str(file)!r}; allowed: a PEM file with a certificate, from where this one is"
    assert said == f"{where}: {what}"
    file.write_bytes(b"Subject: CN=x\r\n-----BEGIN CERTIFICATE-----\r\n")
    assert loaded(tmp_path, "live-talkdesk", {where: str(file)})


def test_a_pem_file_is_found_from_where_the_file_is(tmp_path: Path) -> None:
    """As prompts and spreadsheets are: a fleet's site runs its cases in another directory than its
    worker's.
    """
    changes = {
        "ca_file": "certs/ca.pem",
        "synthflow.ca_file": "certs/ca.pem",
        "accounts.agents.transport": "tls",
    }
    for account in ("carrier", "agents"):
        changes |= {
            f"accounts.{account}.certificate": "certs/own.pem",
            f"accounts.{account}.private_key": "certs/own.key",
        }
    found = []
    for site in ("ams", "nyc"):
        (tmp_path / site / "certs").mkdir(parents=True)
        for name, kind in {
            "ca.pem": "CERTIFICATE",
            "own.pem": "CERTIFICATE",
            "own.key": "RSA PRIVATE KEY",
        }.items():
            (tmp_path / site / "certs" / name).write_text(
                f"-----BEGIN {kind}-----\n", encoding="utf-8"
            )
        found.append(loaded(tmp_path / site, "live-talkdesk", changes))
    here = str(tmp_path / "ams" / "certs") + "/"
    assert (found[0].ca_file, found[0].synthflow and found[0].synthflow.ca_file) == (
        f"{here}ca.pem",
        f"{here}ca.pem",
    )
    assert {account.own_pair for account in found[0].accounts.values()} == {
        (f"{here}own.pem", f"{here}own.key")
    }
    # a site keeps its files where it likes: the content is the same
    assert content_of(found[0]) == content_of(found[1])
    assert content_of(found[0])["ca_file"] == "ca.pem"
