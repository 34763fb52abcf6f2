"""A topic leads to one group."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w

from harness.deployment.file import load
from harness.errors import DeploymentError
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "live-gladly.toml"


def test_two_groups_of_one_topic_are_a_mistake(tmp_path: Path) -> None:
    """The first was the one that calls had to land with, harness phones or not; who was routed to the other had landed wrongly."""
    plain = tomllib.loads(FILE.read_text(encoding="utf-8"))
    plain["groups"] |= {name: {"topic": topic} for name, topic in (("EN", "bills"), ("DE", "bills "), ("FR", "Bills"))}
    path = tmp_path / "d.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, secrets=False)
    (line,) = str(caught.value).splitlines()
    assert "groups.DE.topic: 'bills' is already groups.EN.topic; allowed: a topic of its own for each group" in line
