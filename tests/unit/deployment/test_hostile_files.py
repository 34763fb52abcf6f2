"""Files that are no deployments: one line says why, in whatever way they are none."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import file
from harness.deployment.file import load
from harness.errors import DeploymentError
from harness.run.preflight import variables
from harness.support.files import stem_of
from harness.support.resources import EXAMPLES


def mistakes(path: Path) -> list[str]:
    with pytest.raises(DeploymentError) as caught:
        load(path, {})
    return str(caught.value).split("\n")


HOSTILE = {
    "deep list": "x = " + "[" * 100_000,
    "deep table": "x = " + "{a=" * 50_000,
    "deep dotted key": ".".join(["a"] * 5_000) + " = 1",
    "deep table name": "[" + ".".join(["a"] * 5_000) + "]",
    "long number": "x = " + "9" * 5_000,
    "huge": "# " + "x" * 5_000_000,
    "no text": "\0",
    "steering": 'name = "a"\n"\\u001b[2J\\nERROR: fine" = 1',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_each_is_said_in_lines_that_show_no_control_characters(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(HOSTILE[kind])
    for line in mistakes(path):
        assert line.startswith(f"{path}: ")
        assert line.isprintable()
        assert len(line) < 2_000
    assert variables(path) == {}


def test_a_deployment_is_not_read_in_part(tmp_path: Path) -> None:
    whole = (EXAMPLES / "simulated-gladly.toml").read_text()
    path = tmp_path / "x.toml"
    path.write_text(f"{whole}\n# {'x' * 5_000_000}\nand no more TOML")
    assert mistakes(path) == [
        f"{path}: cannot be read (File too large (limit 4 MiB)); allowed: a readable TOML file in UTF-8"
    ]


def test_a_device_or_an_impossible_name_is_no_file() -> None:
    for path in (Path("/dev/zero"), Path("a\0b"), Path("/"), Path("/dev/null/x")):
        assert len(mistakes(path)) >= 1


MASSES = {
    "long line": ('note = "http://' + "a:" * 100_000 + '"', "line 1 has 200016 characters; allowed: 20000"),
    "dotted key": ("x" + ".a" * 900_000 + " = 1", "line 1 has 1800005 characters; allowed: 20000"),
    "dotted table": ("[x" + ".a" * 900_000 + "]", "line 1 has 1800003 characters; allowed: 20000"),
    "lines": ("#\n" * 1_900_000, "has 1900001 lines; allowed: 50000"),
    "dotted keys": ("a.b.c = 1\n" * 200_000, "has 200001 lines; allowed: 50000"),
    "keys": ("x = [{}]\n" * 40_000, "has 120000 keys, tables and values; allowed: 100000"),
    "values": (f"x = [\n{('1,' * 1_000 + chr(10)) * 200}]", "has 200002 keys, tables and values; allowed: 100000"),
    "trunks": ('[[trunks]]\nname = "a"\n' * 20_000, "trunks: has 20000 entries; allowed: 100"),
    "groups": ("".join(f"[groups.g{n}]\n" for n in range(40_000)), "groups: has 40000 entries; allowed: 2000"),
    "lines of numbers": ("".join(f"[lines.g{n}]\n" for n in range(40_000)), "lines: has 40000 entries; allowed: 10000"),
    "phones": ("".join(f"[phones.g{n}]\n" for n in range(2_001)), "phones: has 2001 entries; allowed: 2000"),
    "assistants": ("".join(f"[assistants.g{n}]\n" for n in range(501)), "assistants: has 501 entries; allowed: 500"),
    "holidays": ("".join(f"[holidays.g{n}]\n" for n in range(501)), "holidays: has 501 entries; allowed: 500"),
    "accounts": ("".join(f"[accounts.g{n}]\n" for n in range(101)), "accounts: has 101 entries; allowed: 100"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MASSES)
def test_a_file_of_masses_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    text, said = MASSES[kind]
    path = tmp_path / "x.toml"
    path.write_text(text)
    assert path.stat().st_size < 4 << 20
    assert mistakes(path) == [f"{path}: {said}"]


@pytest.mark.parametrize(
    ("pattern", "begin", "repeated"),
    [
        (file._CREDENTIALS_IN_URL, "http://", "a:"),
        (file._CREDENTIALS_IN_URL, "http://", "a::"),
        (file._SECRET_IN_QUERY, "http://", "?a_b"),
        (file._SECRET_IN_QUERY, "http://", "a_key"),
        (file._SECRET_IN_QUERY, "http://?", "api_"),
    ],
)
def test_patterns_for_secrets_take_time_in_proportion(
    pattern: re.Pattern[str], begin: str, repeated: str
) -> None:
    """Sixteen times the text takes 256 times as long where each part is tried with each other."""

    def seconds(count: int) -> float:
        text = begin + repeated * count
        times: list[float] = []
        for _ in range(3):
            began = time.process_time()
            assert not pattern.match(text)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(16_000) < 100 * max(seconds(1_000), 1e-4)


@given(st.text(min_size=1))
def test_a_name_leads_to_no_other_directory(name: str) -> None:
    stem = stem_of(name)
    assert "/" not in stem
    assert "\0" not in stem
    assert stem not in (".", "..")
    assert not stem.startswith(".")
    assert len(os.fsencode(stem.encode("utf-8", "replace").decode())) <= 255


def test_different_names_have_different_files() -> None:
    names = ["a/b", "a_b", "a b", "../a", "..%2Fa", "A" * 300, "A" * 301]
    assert len({stem_of(name) for name in names}) == len(names)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        DeploymentError, match=r"^no such file: .*nosuch\.toml; allowed: .*simulated-gladly"
    ):
        load(tmp_path / "nosuch.toml")


def test_of_thousands_of_mistakes_the_first_hundred_are_shown(tmp_path: Path) -> None:
    keys = "".join(f"x{number} = 1\n" for number in range(49_000))
    (tmp_path / "d.toml").write_text(keys + (EXAMPLES / "live-talkdesk.toml").read_text())
    found = mistakes(tmp_path / "d.toml")
    assert len(found) == 101
    assert found[-1].endswith("and more: 49000 mistakes in all")
