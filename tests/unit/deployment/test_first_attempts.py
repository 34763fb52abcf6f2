"""What people write who have never seen TOML: the line says what is allowed there, so that the
second attempt is right.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deployment.file import load, read
from harness.errors import DeploymentError

QUOTES = "a name in quotes unless it has A-Z, a-z, 0-9, _ and - alone"
TEXT = 'text in straight quotes ("…"), a number, true, false, or a list in [ ]'


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("[phones.Jörg]", QUOTES),
        ("[groups.Customer care]", QUOTES),
        ("[groups.🚀]", QUOTES),
        ("Jörg = 1", QUOTES),
        ('zone: "Europe/Berlin"', QUOTES),
        ("did,trunk,assistant", QUOTES),
        ("name = acme", TEXT),
        ("name = “acme”", TEXT),
        ("reachable = True", TEXT),
        ("announcement_s = 4,5", "a number with a point (4.5)"),
        ("press = 02", "without leading zeros"),
        ('ways = ["digit" "prompt"]', "values parted by commas in [ ]"),
        (r'certificate = "C:\certs\my.pem"', r"'…' around text with a backslash"),
        ("[a]\n[a]", "each table once"),
        ("a = 1\na = 2", "each name once in its table"),
        ("; a comment", "a TOML file (https://toml.io)"),
    ],
)
def test_text_that_is_no_toml(tmp_path: Path, line: str, allowed: str) -> None:
    path = tmp_path / "file.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        read(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: not TOML: ")
    assert len(said.splitlines()) == 1
    assert allowed in said.partition("; allowed: ")[2]


def said_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_what_is_missing_says_how_it_is_written(tmp_path: Path) -> None:
    assert said_of(tmp_path, 'integration = "generic"\n[[trunks]]\nname = "a"\n') == [
        'name: is missing; allowed: text, in quotes ("…")',
        "kind: is missing; allowed: simulated, stand-in, live",
        "platform: is missing; allowed: a table, headed [platform]",
        "trunks.0.transport: is missing; allowed: udp, tcp, tls",
        "trunks.0.port: is missing; allowed: a whole number from 1 to 65535",
        "lines: is missing; allowed: tables, each headed [lines.NAME]",
        "assistants: is missing; allowed: tables, each headed [assistants.NAME]",
        "accounts: is missing; allowed: tables, each headed [accounts.NAME]",
        "phones: is missing; allowed: tables, each headed [phones.NAME]",
    ]
    assert "trunks: is missing; allowed: tables, each headed [[trunks]]" in said_of(tmp_path, "")


def test_a_name_whose_dots_parted_it(tmp_path: Path) -> None:
    said = said_of(tmp_path, '[groups.Sales.EMEA]\ndid = "+4930555001"\n')
    (found,) = [line for line in said if line.startswith("groups")]
    assert found.startswith("groups.Sales.EMEA: unknown key; allowed: agents, ")
    assert found.endswith('; a name with a dot in quotes: [groups."Sales.EMEA"]')


def test_a_table_and_a_country_are_told_as_the_file_has_them(tmp_path: Path) -> None:
    said = said_of(
        tmp_path,
        'region = "UK"\nplatform = "acme"\ntrunks = []\n[lines.a]\ndids = ["+12065550100"]\n[groups]\nb = 1\n',
    )
    assert {
        "region: 'UK': no country; allowed: two letters, e.g. US, DE or GB",
        "platform: 'acme': is no table; allowed: a table, headed [platform]",
        'lines.a.dids: a list: is no table; allowed: a table: { NAME = "…" }',
        "groups.b: 1: is no table; allowed: a table, headed [groups.b]",
    } <= set(said)
    assert (
        "region: 'us': no country (perhaps US); allowed: two letters, e.g. US, DE or GB"
        in said_of(tmp_path, 'region = "us"')
    )
