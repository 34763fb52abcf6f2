"""The templates of ``deploy/fleet`` are valid for Kubernetes, Compose and the harness."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from harness.run.cli.app import application
from harness.run.fleet import plan
from tests.fleet.fleet import ROOT

DEPLOY = ROOT / "deploy" / "fleet"
MANIFESTS = [
    (path.name, plain)
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for plain in yaml.safe_load_all(path.read_text())
]


@pytest.mark.parametrize(
    ("name", "plain"), MANIFESTS, ids=[f"{name}-{plain['kind']}" for name, plain in MANIFESTS]
)
def test_manifests_are_valid_for_kubernetes(name: str, plain: dict[str, Any]) -> None:
    kubernetes_validate.validate(plain, kubernetes_validate.latest_version(), strict=True)


def commands() -> list[list[str]]:
    """The command of every harness container."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    found = [service["command"].split() for name, service in compose.items() if name != "redis"]
    for _, plain in MANIFESTS:
        spec = plain.get("spec", {})
        pod = spec.get("jobTemplate", {}).get("spec", spec).get("template", {}).get("spec", {})
        found += [c["args"] for c in pod.get("containers", ()) if c["image"] == "harness-fleet"]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_containers_run_known_commands_and_variables(command: list[str]) -> None:
    done = CliRunner().invoke(application(), [*command, "--help"])
    assert done.exit_code == 0
    options = {word for word in command if word.startswith("--")}
    assert not {option for option in options if option not in done.output}


def test_fleet_file_is_read() -> None:
    fleet = plan.read_fleet(DEPLOY / "fleet.toml")
    assert [site.name for site in fleet.sites] == ["ams", "nyc"]
    assert fleet.trunks[0].carries("acme-talkdesk")
    assert not fleet.trunks[0].carries("another")
