"""Two phones of one address of record: a call to either rings both."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.deployment.file import load
from harness.errors import DeploymentError
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "live-talkdesk.toml"


def written(directory: Path, phones: dict[str, dict[str, Any]], **accounts: dict[str, Any]) -> Deployment:
    plain = tomllib.loads(FILE.read_text(encoding="utf-8"))
    for name, changed in phones.items():
        plain["phones"][name] = plain["phones"].get(name, {}) | changed
    plain["accounts"] |= accounts
    path = directory / "d.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    return load(path, secrets=False)


SECOND = {"domain": "ACME.talkdesk.example", "host": "192.0.2.1", "port": 5060}


@pytest.mark.parametrize(
    "phones",
    [
        {"support": {"user": "agent-billing"}},  # copied, and not changed
        {"another": {"account": "agents", "user": "agent-billing"}},  # no agent, but logged in as one
        {"support": {"account": "second", "user": "agent-billing"}},  # the same registrar at another address
    ],
)
def test_an_agent_s_phone_has_a_user_of_its_own(tmp_path: Path, phones: dict[str, dict[str, Any]]) -> None:
    """The file was taken, and in the run the wrong group rang with each call: a failure of a platform that did as it should."""
    (name,) = phones
    with pytest.raises(DeploymentError) as caught:
        written(tmp_path, phones, second=SECOND)
    (line,) = str(caught.value).splitlines()
    assert f": phones.{name}: agent-billing at " in line
    assert "is phones.billing, too" in line
    assert "; allowed: a user of its own for each phone that is called" in line


@pytest.mark.parametrize(
    "phones",
    [
        {
            "caller": {"user": "office"},
            "second caller": {"account": "carrier", "user": "office", "number": "+14155550102"},
        },
        {"support": {"account": "carrier", "user": "agent-billing"}},
    ],
)
def test_callers_may_share_one_and_other_domains_are_others(tmp_path: Path, phones: dict[str, dict[str, Any]]) -> None:
    assert set(phones) <= set(written(tmp_path, phones).phones)
