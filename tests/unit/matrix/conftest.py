"""The examples as deployments."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.integrations import load
from harness.matrix import Case, cases

DEPLOYMENTS = Path(__file__).parents[3] / "scenarios" / "deployments"


@pytest.fixture(scope="module")
def talkdesk() -> Deployment:
    return load(DEPLOYMENTS / "simulated-talkdesk.toml")


@pytest.fixture(scope="module")
def gladly() -> Deployment:
    return load(DEPLOYMENTS / "simulated-gladly.toml")


def of(deployment: Deployment, row: str) -> list[Case]:
    return [case for case in cases([deployment]) if case.row.id == row]
