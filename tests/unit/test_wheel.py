"""Wheel and source archive hold what a user runs; `make test-wheel` installs and uses them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

import harness
from harness.support import resources

ROOT = Path(harness.__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both, the wheel made from the archive. The builder is of this environment, so nothing is fetched."""
    directory = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return directory


@pytest.fixture(scope="module")
def names(built: Path) -> list[PurePosixPath]:
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


@pytest.mark.parametrize("directory", [resources.SCENARIOS, resources.PROMPTS, resources.TEMPLATES])
def test_the_wheel_holds_every_resource(names: list[PurePosixPath], directory: Path) -> None:
    files = [path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert files
    for path in files:
        assert PurePosixPath("harness/support/_resources", path.relative_to(resources.ROOT)) in names


def test_the_wheel_holds_neither_tests_nor_tools(names: list[PurePosixPath]) -> None:
    assert not [name for name in names if {"tools", "tests", "bench", "__pycache__"} & set(name.parts)]


def test_the_source_archive_holds_what_the_tests_need(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    for file in ("Makefile", "uv.lock", ".ci/bootstrap.py", "tests/unit/test_wheel.py", "conftest.py", "docs/live.md"):
        assert PurePosixPath(file) in held
    assert {name for name in held if name.parts[:1] == ("reports",)} <= {PurePosixPath("reports/README.md")}
    assert not [name for name in held if {".venv", ".uv", "__pycache__"} & set(name.parts)]
