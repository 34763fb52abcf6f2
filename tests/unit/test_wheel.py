"""The wheel holds what a user runs, and nothing of what only developers do."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import harness

ROOT = Path(harness.__file__).parent.parent


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[PurePosixPath]:
    directory = tmp_path_factory.mktemp("wheel")
    uv = ROOT / ".uv" / "bin" / "uv"  # `make` installs it; it carries the build backend, so nothing is fetched
    subprocess.run([uv, "build", "--wheel", "--offline", "--quiet", "-o", directory, ROOT], check=True)
    (wheel,) = directory.glob("*.whl")
    with ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


def test_it_holds_the_programs(names: list[PurePosixPath]) -> None:
    for path in ("harness/cli/app.py", "harness/simulation/__main__.py", "harness/phone/child/bindings.py"):
        assert PurePosixPath(path) in names


def test_it_holds_neither_tests_nor_tools(names: list[PurePosixPath]) -> None:
    assert not [name for name in names if {"tools", "tests", "bench"} & set(name.parts)]
