"""Rows follow from what a customer's file says, and never from what things are called in it."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.deployment.hours import AS_OF_VARIABLE
from harness.integrations import load
from harness.integrations.matrix import cases
from harness.support.resources import EXAMPLES

#: Tables whose entries a customer names, and the keys that refer to them.
NAMED: Mapping[str, tuple[str, ...]] = {
    "groups": ("group", "fallback", "closed", "transfer_to"),
    "assistants": ("assistant",),
    "lines": ("line",),
    "phones": ("agents", "away", "customer"),
}


@pytest.fixture(autouse=True)
def _a_wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")


def renamed(plain: dict[str, Any]) -> dict[str, Any]:
    """The same file under other names: of text that no program would choose."""
    new = {table: {name: f"N° {at} “{table}” ü'" for at, name in enumerate(plain[table])} for table in NAMED}

    def follow(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        followed = {key: follow(each) for key, each in value.items()}
        for table, keys in NAMED.items():
            for key in keys & followed.keys():
                old = followed[key]
                followed[key] = [new[table][name] for name in old] if isinstance(old, list) else new[table][old]
        return followed

    followed: dict[str, Any] = follow(plain)
    return followed | {table: {new[table][name]: followed[table][name] for name in plain[table]} for table in NAMED}


def counted(deployment: Deployment) -> Counter[str]:
    return Counter(case.row.id for case in cases([deployment]))


def test_other_names_change_no_row(tmp_path: Path) -> None:
    plain = tomllib.loads((EXAMPLES / "simulated-generic.toml").read_text())
    file = tmp_path / "renamed.toml"
    file.write_text(tomli_w.dumps(renamed(plain)))
    found = load(file)
    assert not set(found.groups) & set(plain["groups"])
    assert counted(found) == counted(load(EXAMPLES / "simulated-generic.toml"))
