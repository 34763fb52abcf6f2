"""What a run looks at before it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness import integrations
from harness.deployment.grants import Grants
from harness.diagnosis.catalogue import catalogue
from harness.errors import DeploymentError
from harness.run.plugin.options import deployments
from harness.support.resources import examples


def test_tables_of_causes_are_read_before_a_run_only_if_others_wrote_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = examples()["simulated-talkdesk"]
    catalogue.cache_clear()
    (deployment,) = deployments([file], Grants(), secrets=True)
    assert catalogue.cache_info().misses == 0
    (table := tmp_path / "acme.toml").write_text("[fixes]", encoding="utf-8")
    acme = replace(integrations.find(deployment.integration), diagnosis=table)
    monkeypatch.setattr(integrations, "find", lambda _: acme)
    with pytest.raises(DeploymentError, match=r"no table 'fixes'; did you mean 'fix'\?"):
        deployments([file], Grants(), secrets=True)
