"""What a phone of a deployment is told to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.deployment_file import load
from harness.scenario.phones import own_phone

_FILE = Path(__file__).parents[3] / "scenarios" / "deployments" / "live-talkdesk.toml"


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    for name in ("SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD", "TALKDESK_TRUNK_PASSWORD"):
        monkeypatch.setenv(name, "for-this-test")
    return load(_FILE)


def test_phone_has_the_credentials_of_its_entry(deployment: Deployment) -> None:
    phone = own_phone(deployment, "caller")
    assert (phone.username, phone.password) == (phone.user, "for-this-test")


def test_phone_without_a_password_answers_no_challenge(deployment: Deployment) -> None:
    """An empty password would be tried as one, and the refusal hidden behind what that gets."""
    entry = deployment.phones["caller"].model_copy(update={"password": None})
    bare = deployment.model_copy(update={"phones": {**deployment.phones, "caller": entry}})
    assert own_phone(bare, "caller").username is None
