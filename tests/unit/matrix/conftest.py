"""The examples as deployments."""

from __future__ import annotations

import pytest

from harness.deployment import Deployment
from harness.integrations import load
from harness.integrations.matrix import Case, cases, left_out
from harness.support.resources import EXAMPLES


@pytest.fixture(scope="module")
def talkdesk() -> Deployment:
    return load(EXAMPLES / "simulated-talkdesk.toml")


@pytest.fixture(scope="module")
def gladly() -> Deployment:
    return load(EXAMPLES / "simulated-gladly.toml")


def of(deployment: Deployment, row: str) -> list[Case]:
    return [case for case in cases([deployment]) if case.row.id == row]


def why(deployment: Deployment, row: str) -> str:
    """Why the row has no case at all."""
    (left,) = [one for one in left_out(deployment) if one.row == row and one.line is None]
    return left.why
