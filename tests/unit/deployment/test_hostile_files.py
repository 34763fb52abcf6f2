"""Files that are no deployments: one line says why, in whatever way they are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
