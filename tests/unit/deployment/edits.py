"""Edits of a deployment file, and the mistakes that are found in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import DeploymentError
from harness.integrations import load
from harness.support.resources import EXAMPLES

SECRETS = ["TALKDESK_TRUNK_PASSWORD", "SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD"]


TRUNKS = ["TRUNK_US_EAST_PASSWORD", "TRUNK_EU_PASSWORD"]


Edit = Callable[[str], str]


def swapped(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def mistakes(tmp_path: Path, name: str, *edits: Edit, environment: dict[str, str] | None = None) -> list[str]:
    text = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")
    for edit in edits:
        text = edit(text)
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    for numbers in EXAMPLES.glob("*.csv"):
        shutil.copy(numbers, tmp_path)
    with pytest.raises(DeploymentError) as caught:
        load(path, dict.fromkeys(SECRETS, "secret") if environment is None else environment)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]
