"""A group that is one telephone: its number is that of its only agent."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import tomli_w

from harness.deployment.safety import Guard
from harness.errors import DeploymentError
from harness.integrations import load
from harness.integrations.matrix import Selection, calls_of, cases
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "live-gladly.toml"
MOBILE = "+14155550177"


def written(directory: Path, *agents: str, number_of: str = "owner") -> Path:
    plain = tomllib.loads(FILE.read_text(encoding="utf-8"))
    for name in ("owner", "another"):
        plain["phones"][name] = {"account": "carrier", "number": MOBILE if name == number_of else "+14155550178"}
    (group,) = plain["groups"]
    plain["groups"][group] |= {"did": MOBILE, "agents": list(agents)}
    path = directory / "d.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    return path


def test_the_ai_transfers_to_the_telephone_itself(tmp_path: Path) -> None:
    deployment = load(written(tmp_path, "owner"), secrets=False)
    found = cases([deployment], Selection(rows=("GL-TRANSFER-PLAIN",)))
    assert found
    for case in found:
        numbers = [call.number for call in calls_of(case, deployment)]
        assert numbers[-1] == MOBILE
    Guard(deployment)(f"sip:{MOBILE}@{deployment.platform.domain}")
    assert "owner" not in deployment.callers


@pytest.mark.parametrize(
    ("agents", "number_of"),
    [(("another",), "owner"), (("owner", "another"), "owner"), ((), "owner"), (("owner",), "another")],
)
def test_no_other_number_has_two_roles(tmp_path: Path, agents: tuple[str, ...], number_of: str) -> None:
    with pytest.raises(
        DeploymentError, match=rf"number: {re.escape(MOBILE)} is already groups\..*; allowed: a number of its own"
    ):
        load(written(tmp_path, *agents, number_of=number_of), secrets=False)


@pytest.mark.parametrize(("shows", "shared"), [("any", True), ("original", True), ("platform", True), ("any", False)])
def test_where_strangers_call_as_well_a_telephone_shows_whose_call_it_is(
    tmp_path: Path, shows: str, shared: bool
) -> None:
    """Ours are told from theirs by the caller's number; the platform's own stands for everybody."""
    path = written(tmp_path, "owner")
    plain = tomllib.loads(path.read_text(encoding="utf-8"))
    (group,) = plain["groups"]
    plain["groups"][group]["shared"] = shared
    plain["phones"]["owner"]["shows"] = shows
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    if shows == "original" or not shared:
        assert load(path, secrets=False).groups[group].shared is shared
        return
    with pytest.raises(DeploymentError, match=rf"groups\.{group}\.shared: at owner, whose telephone shows = {shows}"):
        load(path, secrets=False)
