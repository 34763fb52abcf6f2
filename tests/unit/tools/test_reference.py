"""The reference of the deployment file is what the model says."""

from __future__ import annotations

from tools.reference import deployment


def test_the_page_is_what_the_model_says() -> None:
    assert deployment.PAGE.read_text(encoding="utf-8") == deployment.page(), "run: python -m tools.reference"


def test_every_key_of_a_table_is_listed() -> None:
    keys = deployment.keys()
    assert {key.name for key in keys["Line"]} >= {"did", "dids", "trunk", "assistant", "group", "press", "fallback"}
    assert "register" in {key.name for key in keys["Account"]}, "the name it has in the file"
    assert "password" not in {key.name for key in keys["Trunk"]}
