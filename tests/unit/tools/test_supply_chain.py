"""The parts of the package: each has a licence that goes with the harness's own."""

from __future__ import annotations

import ast
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import ROOT
from tools.supply_chain import (
    COPYLEFT,
    PERMISSIVE,
    STATED,
    LicenceError,
    by_licence,
    is_listed,
    licence_of,
    main,
    with_licences,
)

OWN = {"component": {"name": "call-verification-harness"}}


def bill(*names: str) -> dict[str, Any]:
    """An SBOM as uv exports it."""
    components = [{"name": n, "version": "1", "purl": f"pkg:pypi/{n}@1"} for n in names]
    return {"bomFormat": "CycloneDX", "metadata": OWN, "components": components}


@pytest.mark.parametrize(
    ("expression", "listed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("GPL-3.0-or-later WITH GCC-exception-3.1 AND MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR Apache-2.0) AND Proprietary", False),
        ("GPL-3.0-only", False),
        ("GPL-2.0-only", False),
        ("MPL-1.1", False),
        ("", False),
        ("Proprietary", False),
    ],
)
def test_all_of_an_and_and_one_of_an_or(expression: str, listed: bool) -> None:
    assert is_listed(expression) is listed


def test_an_installed_component_of_another_licence_is_refused() -> None:
    with pytest.raises(LicenceError, match=r"httpx 1: AGPL-3\.0-only"):
        with_licences(bill("httpx"), lambda name: "AGPL-3.0-only")
    with pytest.raises(LicenceError, match="names no licence"):
        with_licences(bill("httpx"), lambda name: "")


def test_licences_come_from_what_is_installed() -> None:
    assert licence_of("pydantic") == "MIT"
    assert licence_of("httpx") == "BSD-3-Clause"  # by its classifier
    assert licence_of("no-such-package") == ""
    assert all(stated["evidence"] for stated in STATED.values())


def test_the_bill_lists_licences_and_the_harnesss_own(tmp_path: Path) -> None:
    said: list[str] = []
    exported = json.dumps(bill("pydantic", "soxr"))
    assert main(exported, tmp_path / "sbom.json", said.append) == 0
    written = json.loads((tmp_path / "sbom.json").read_text())
    assert [part["licenses"] for part in written["components"]] == [
        [{"expression": "MIT"}],
        [{"expression": "LGPL-2.1-or-later"}],
    ]
    assert written["metadata"]["component"]["licenses"] == [{"expression": "GPL-3.0-or-later"}]
    assert said[:2] == ["LGPL-2.1-or-later: soxr", "MIT: pydantic"]


def test_security_page_names_every_component_that_is_not_permissive() -> None:
    """It said "everything else is permissive or MPL"; soxr and libsndfile are LGPL."""
    locked = ["--locked", "--offline", "--all-extras", "--no-default-groups"]
    form = ["--preview-features", "sbom-export", "--format", "cyclonedx1.5"]
    export = [str(ROOT / ".uv" / "bin" / "uv"), "export", "--quiet", *locked, *form]
    done = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=True)
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    paragraph = page.rpartition("\n\n")[2]
    strict = set()
    for expression, names in by_licence(with_licences(json.loads(done.stdout))).items():
        choices = [set(part.split(" AND ")) for part in expression.split(" OR ")]
        if not any(choice <= PERMISSIVE for choice in choices) and choices[0] & COPYLEFT:
            strict |= set(names)
    assert len(strict) > 4
    assert {name for name in strict if f"`{name}`" not in paragraph} == set()


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
    """Three of its commands fetch something: pip the pinned uv by its hashes; uv what the lock
    names, and what the lock names for building a wheel.
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
    (pins,) = [found for found in words if "export" in found]
    (checked,) = [found for found in words if "--build-constraints" in found]
    assert "--locked" in pins
    assert "--require-hashes" in checked
    assert [
        line
        for line in (ROOT / ".ci" / "uv.txt").read_text().splitlines()
        if line.startswith(("uv==", "    --hash=sha256:"))
    ]
