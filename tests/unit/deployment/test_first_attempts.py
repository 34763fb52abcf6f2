"""What people write who have never seen TOML: the line says what is allowed there, so that the
second attempt is right.
"""

from __future__ import annotations

import re
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
        (r'certificate = "C:\Users\my.pem"', r"'…' around text with a backslash"),
        ('name = "acme\nkind = "live"', "a closing quotation mark in the same line"),
        ('hours = "mon-fri 08:00-12:00,\nsat 09:00-13:00"', "a closing quotation mark in the same"),
        ('headers_env = { A = "B", }', "all of { … } in one line, with no comma before the }"),
        ('headers_env = {\n  A = "B"\n}', "all of { … } in one line, with no comma before the }"),
        ('name = "acme', "a closing quotation mark in the same line"),
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
    assert re.search(r"\(at line \d+, ", said)


def test_text_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    text = 'name = "acme"\n[groups."Käse"]\n'
    path.write_bytes(text.encode("cp1252"))
    with pytest.raises(DeploymentError) as caught:
        read(path)
    said = f"{path}: line 2: is not in UTF-8 (in Windows-1252 it has ä there)"
    assert str(caught.value) == f"{said}; allowed: a readable TOML file in UTF-8"
    path.write_text(text, encoding="utf-16")
    with pytest.raises(DeploymentError) as caught:
        read(path)
    said = f"{path}: line 1: is not in UTF-8 but in UTF-16"
    assert str(caught.value) == f"{said}; allowed: a readable TOML file in UTF-8"


def test_each_mistake_names_its_line(tmp_path: Path) -> None:
    text = """\
# A set-up.
name = "acme"
kind = "imaginary"
platform = { domain = 5 }

leave_out."GL-INBOUND" = ""

[lines."Sales: north"]   # [lines.other]
did = "4711"
hours = \"\"\"
did = 7
[lines.other]
\"\"\"
[lines.other.dids]
"a.b" = "4712"
[[trunks]]
name = "one"
[[trunks]]
allowed_addresses = [
  "192.0.2.1", # ]
]
port = 0
[phones.agent]
"""
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    lines = [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]
    for begins in (
        "line 3: kind: 'imaginary'",
        "line 4: platform.domain: 5",
        "line 6: leave_out.GL-INBOUND: ''",
        "line 10: lines.Sales: north.hours: ",
        "line 9: lines.Sales: north.did: '4711' is not E.164",
        "line 15: lines.other.dids.a.b: '4712'",
        "line 16: trunks.0.port (one): is missing",
        "line 18: trunks.1.name: is missing",
        "line 22: trunks.1.port: 0",
        "line 23: phones.agent.account: is missing",
        "integration: is missing",
    ):
        assert [line for line in lines if line.startswith(begins)], (begins, lines)


def test_trunks_that_are_named_like_other_tables(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text('[trunks.synthflow]\ntransport = "udp"\n', encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    assert (
        f'{path}: line 1: trunks: is no list; allowed: a list of tables, each headed [[trunks]], with name = "synthflow"'
    ) in str(caught.value).splitlines()


def test_an_extension_is_a_user(tmp_path: Path) -> None:
    said = said_of(tmp_path, '[groups.a]\ndid = "4711"\n')
    assert (
        "groups.a.did: '4711' is not E.164; allowed: + and country code, e.g. +12065550100; "
        'an extension stands as user = "4711"'
    ) in said


def said_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "file.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    return [re.sub(f"^{path}: (line \\d+: )?", "", line) for line in str(caught.value).splitlines()]


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
