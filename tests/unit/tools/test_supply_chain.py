"""What the package is made of: each part has a licence that somebody agreed to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.supply_chain.licences import AGREED, LicenceError, is_agreed, licence_of, main, with_licences


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
