"""The reference of the deployment file is what the model says."""

from __future__ import annotations

from harness.deployment import Deployment
from tools.reference import cli, deployment, schemas


def test_the_page_is_what_the_model_says() -> None:
    assert deployment.PAGE.read_text(encoding="utf-8") == deployment.page(), (
        "run: python -m tools.reference"
    )


def test_the_command_line_is_what_help_says() -> None:
    page = cli.page()
    assert cli.PAGE.read_text(encoding="utf-8") == page, "run: python -m tools.reference"
    assert "## `harness verify`" in page
    assert "\n- `--row ID`: " in page
    assert "## `harness signoff key`" in page


def test_published_json_schemas_are_those_of_the_models() -> None:
    published = {
        path.name: path.read_text(encoding="utf-8") for path in schemas.DIRECTORY.iterdir()
    }
    generated = {schemas.path(name).name: schemas.text(name) for name in schemas.DOCUMENTS}
    assert published == generated, "run: make reference"


def test_every_json_output_of_the_command_line_has_a_schema() -> None:
    """Each ``--json`` of the reference page, by its command; verify has a second one with
    ``--plan``.
    """
    sections = cli.page().split("\n## ")[1:]
    commands = [section.split("`")[1] for section in sections if "`--json`" in section]
    assert commands
    described = " ".join(document.what for document in schemas.DOCUMENTS.values())
    assert [command for command in commands if f"{command} " not in f"{described} "] == []


def test_every_key_has_a_meaning_and_every_table_is_there() -> None:
    keys = deployment.keys()
    shown = {name: keys[name] for name in deployment.TABLES.values()}
    assert [
        f"{name}.{key.name}" for name, found in shown.items() for key in found if not key.meaning
    ] == []
    tables = {line for line in deployment.page().splitlines() if line.startswith("### `[")}
    for field, found in Deployment.model_fields.items():
        if "harness.deployment" in str(found.annotation) and "Zone" not in str(found.annotation):
            assert any(f"[{field}" in heading for heading in tables), field


def test_what_is_allowed_and_needed_is_the_model_s() -> None:
    found = {
        (name, key.name): (key.type, key.default)
        for name, table in deployment.keys().items()
        for key in table
    }
    assert found["Assistant", "voice"] == ("whole number from 240 to 255", "none")
    assert found["Group", "ring_s"] == ("number above 0, up to 600", "`30.0`")
    assert found["Account", "rtp_ports"][0] == "list of 2: whole number from 1024 to 65535"
    assert found["Expectations", "busy"][0] == "list of: whole number from 300 to 699"
    assert found["Account", "port"] == ("port", "none")
    assert found["Account", "host"] == ("host", "needed, unless simulated")
    assert found["Platform", "port"] == ("port", "none")
    numbers = {key: type_ for key, (type_, _) in found.items() if type_.endswith("number")}
    assert numbers == {}, "each has its range"
