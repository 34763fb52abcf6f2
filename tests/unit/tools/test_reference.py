"""The reference of the deployment file is what the model says."""

from __future__ import annotations

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
