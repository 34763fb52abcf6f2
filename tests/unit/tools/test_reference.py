"""The reference of the deployment file is what the model says."""

from __future__ import annotations

import pytest

from harness.deployment import Deployment
from harness.resources import prompt_names
from tools.reference import cli, deployment


def test_the_page_is_what_the_model_says() -> None:
    assert deployment.PAGE.read_text(encoding="utf-8") == deployment.page(), "run: python -m tools.reference"


def test_the_command_line_is_what_help_says() -> None:
    page = cli.page()
    assert cli.PAGE.read_text(encoding="utf-8") == page, "run: python -m tools.reference"
    assert "## `harness verify`" in page
    assert "| `--row ID` |" in page
    assert "## `harness signoff key`" in page


def test_every_key_of_a_table_is_listed() -> None:
    keys = deployment.keys()
    assert {key.name for key in keys["Line"]} >= {"did", "dids", "trunk", "assistant", "group", "press", "fallback"}
    assert "register" in {key.name for key in keys["Account"]}, "the name it has in the file"
    assert "password" not in {key.name for key in keys["Trunk"]}
    assert "quick" in {key.name for key in keys[deployment.TABLES["`[timings]`"]]}


def test_every_key_has_a_meaning_and_every_table_is_there() -> None:
    keys = deployment.keys()
    shown = {name: keys[name] for name in deployment.TABLES.values()}
    assert [f"{name}.{key.name}" for name, found in shown.items() for key in found if not key.meaning] == []
    tables = {line for line in deployment.page().splitlines() if line.startswith("### `[")}
    for field, found in Deployment.model_fields.items():
        if "harness.deployment" in str(found.annotation) and "Zone" not in str(found.annotation):
            assert any(f"[{field}" in heading for heading in tables), field


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("E164 | None", "telephone number (E.164)"),
        ("tuple[str, ...]", "list of: text"),
        ("dict[str, E164]", "table: text = telephone number (E.164)"),
        ("Transport", "`udp`, `tcp`, `tls`"),
        (
            "Prompt",
            ", ".join(f"`{name}`" for name in prompt_names()) + ", or a WAV file (`….wav`, from where this file is)",
        ),
        ("tuple[Annotated[str, Field(pattern='x')], ...]", "list of: text"),
    ],
)
def test_types_are_said_in_words(annotation: str, words: str) -> None:
    assert deployment.in_words(annotation) == words
