"""What the package is made of: each part has a licence that somebody agreed to."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from tools.supply_chain import AGREED, LicenceError, is_agreed, licence_of, main, with_licences


@pytest.mark.parametrize(
    ("expression", "agreed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("", False),
        ("Proprietary", False),
    ],
)
def test_all_of_an_and_and_one_of_an_or(expression: str, agreed: bool) -> None:
    assert is_agreed("package", expression) is agreed


def test_an_installed_component_of_another_licence_is_refused() -> None:
    bom = {"components": [{"name": "httpx", "version": "1", "purl": "pkg:pypi/httpx@1"}]}
    with pytest.raises(LicenceError, match=r"httpx 1: AGPL-3\.0-only"):
        with_licences(bom, lambda name: "AGPL-3.0-only")
    with pytest.raises(LicenceError, match="names no licence"):
        with_licences(bom, lambda name: "")


def test_licences_come_from_what_is_installed() -> None:
    assert licence_of("pydantic") == "MIT"
    assert licence_of("httpx") == "BSD-3-Clause"  # by its classifier
    assert licence_of("no-such-package") == ""
    assert all(reason for _, reason in AGREED.values())


def test_the_bill_is_written_with_licences(tmp_path: Path) -> None:
    said: list[str] = []
    bom = {
        "bomFormat": "CycloneDX",
        "components": [{"name": "pydantic", "version": "2", "purl": "pkg:pypi/pydantic@2"}],
    }
    assert main(json.dumps(bom), tmp_path / "sbom.json", said.append) == 0
    written = json.loads((tmp_path / "sbom.json").read_text())
    assert written["components"][0]["licenses"] == [{"expression": "MIT"}]
    assert "1 components" in said[0]


ROOT = Path(__file__).resolve().parents[3]


def test_every_package_is_pinned_by_hash() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    fetched = [package for package in packages if "registry" in package["source"]]
    assert len(fetched) > 50
    assert [package["name"] for package in packages if package not in fetched] == [
        "call-verification-harness"
    ]
    archives = [
        archive
        for package in fetched
        for archive in [*package.get("wheels", ()), package.get("sdist", {})]
    ]
    assert [
        archive
        for archive in archives
        if archive and not archive.get("hash", "").startswith("sha256:")
    ] == []
    assert all(package.get("wheels") or package.get("sdist") for package in fetched)


def test_the_bootstrap_installs_nothing_else() -> None:
    """Two commands of its install something: pip, the pinned uv by its hashes; uv, what the lock
    names.
    """
    source = (ROOT / ".ci" / "bootstrap.py").read_text(encoding="utf-8")
    lists = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.List)]
    words = [[e.value for e in found.elts if isinstance(e, ast.Constant)] for found in lists]
    installing = [
        found
        for found in words
        if {"install", "sync", "add", "pip"} & set(found) and "-m" not in found
    ]
    assert len(installing) == 2
    (pip,) = [found for found in installing if "install" in found]
    (uv,) = [found for found in installing if "sync" in found]
    assert {"--require-hashes", "--only-binary", ":all:", "-r"} <= set(pip)
    assert "--locked" in uv
    assert [
        line
        for line in (ROOT / ".ci" / "uv.txt").read_text().splitlines()
        if line.startswith(("uv==", "    --hash=sha256:"))
    ]
