"""Example deployments with other values at some places, and the mistakes that are found in them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.errors import DeploymentError
from harness.integrations import load
from harness.support.resources import EXAMPLES

SECRETS = dict.fromkeys(
    (
        *("HARNESS_TALKDESK_TRUNK_PASSWORD", "HARNESS_SYNTHFLOW_API_TOKEN"),
        *("HARNESS_TEST_LINE_PASSWORD", "HARNESS_AGENT_PASSWORD", "HARNESS_CALLER_PASSWORD"),
        *("HARNESS_TRUNK_US_EAST_PASSWORD", "HARNESS_TRUNK_EU_PASSWORD"),
    ),
    "hunter2",
)

#: Place ("groups.Inbox.did", "trunks.0.host") → value; None takes the key away.
Changes = Mapping[str, Any]
NONE: Changes = {}


def changed(plain: dict[str, Any], changes: Changes) -> dict[str, Any]:
    for place, value in changes.items():
        *tables, key = place.split(".")
        table: Any = plain
        for name in tables:
            table = table[int(name)] if isinstance(table, list) else table.setdefault(name, {})
        if value is None:
            del table[key]
        else:
            table[key] = deepcopy(value)
    return plain


def written(directory: Path, example: str, changes: Changes = NONE) -> Path:
    plain = tomllib.loads((EXAMPLES / f"{example}.toml").read_text(encoding="utf-8"))
    if "numbers_csv" in plain:
        plain["numbers_csv"] = str(EXAMPLES / plain["numbers_csv"])
    path = directory / "file.toml"
    path.write_text(tomli_w.dumps(changed(plain, changes)), encoding="utf-8")
    return path


def loaded(directory: Path, example: str, changes: Changes = NONE) -> Deployment:
    return load(written(directory, example, changes), SECRETS)


def mistakes_of(path: Path, environment: Mapping[str, str] = SECRETS) -> list[str]:
    with pytest.raises(DeploymentError) as caught:
        load(path, environment)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [re.sub(f"^{path}: (line \\d+: )?", "", line) for line in lines]


def mistakes(directory: Path, example: str, changes: Changes) -> list[str]:
    return mistakes_of(written(directory, example, changes))
