"""TLS is verified, always: nothing in a deployment file can say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.errors import DeploymentError
from harness.integrations import load
from harness.scenario.phones import own_phone
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
