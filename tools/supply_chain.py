"""``make sbom``: adds the licence of each component to an SBOM (CycloneDX), lists them, and refuses a
licence that is not in :data:`LICENCES`.

``uv export --format cyclonedx1.5 | python -m tools.supply_chain``
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools import ROOT, read_toml, write_json

REPORT = ROOT / "reports" / "sbom.json"

_TABLES = read_toml(Path(__file__).with_name("licences.toml"))
PERMISSIVE = frozenset(_TABLES["permissive"])
COPYLEFT = frozenset(_TABLES["copyleft"])
#: All that a part of the harness, which is GPL-3.0-or-later, may have.
LICENCES = PERMISSIVE | COPYLEFT
_CLASSIFIERS: dict[str, str] = _TABLES["classifiers"]
#: Packages whose metadata name no licence, or only a part of it: ``licence`` and ``evidence``.
STATED: dict[str, dict[str, str]] = _TABLES["stated"]


class LicenceError(Exception):
    """Components whose licence is not in :data:`LICENCES`, a line each."""


def licence_of(name: str) -> str:
    """The licence of an installed distribution as an SPDX expression; empty when its metadata name
    none that is known.
    """
    if name in STATED:
        return STATED[name]["licence"]
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if "License-Expression" in metadata:
        return str(metadata["License-Expression"])
    marked = (
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License ::")
    )
    known = " OR ".join(_CLASSIFIERS[line] for line in marked if line in _CLASSIFIERS)
    plain = (
        str(metadata["License"]) if "License" in metadata else ""
    )  # before PEP 639: any text, often the identifier
    return known or (plain if plain in LICENCES else "")


def is_listed(expression: str) -> bool:
    """Whether every licence that applies is in :data:`LICENCES`: all of an AND, one of an OR.

    One with parentheses is refused: it has to be read, and stated in :data:`STATED`.
    """
    if "(" in expression:
        return False
    return any(set(part.split(" AND ")) <= LICENCES for part in expression.split(" OR "))


def with_licences(
    bom: dict[str, Any], licence: Callable[[str], str] = licence_of
) -> dict[str, Any]:
    """The SBOM with the harness's own licence and each component's. Raises :class:`LicenceError`.

    A component that is not installed here belongs to another operating system.
    """
    own = read_toml(ROOT / "pyproject.toml")["project"]
    bom["metadata"]["component"]["licenses"] = [{"expression": own["license"]}]
    refused = []
    for component in bom["components"]:
        name, expression = component["name"], licence(component["name"])
        if is_listed(expression):
            component["licenses"] = [{"expression": expression}]
        elif component.get("purl") and _is_installed(name):
            refused.append(f"{name} {component.get('version')}: {expression or 'names no licence'}")
    if refused:
        raise LicenceError("\n".join(refused))
    return bom


def by_licence(bom: dict[str, Any]) -> dict[str, list[str]]:
    """Licence → names of the components that have it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for component in bom["components"]:
        licences = component.get("licenses", [{"expression": "not installed here"}])
        found[licences[0]["expression"]].add(component["name"])
    return {expression: sorted(names) for expression, names in sorted(found.items())}


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main(exported: str, report: Path = REPORT, say: Callable[[str], None] = print) -> int:
    """0 when every licence is listed; the SBOM is written in any case."""
    bom = json.loads(exported)
    try:
        with_licences(bom)
    except LicenceError as error:
        say(f"ERROR: licences that are not listed in tools/licences.toml:\n{error}")
        return 1
    finally:
        write_json(report, bom)
    for expression, names in by_licence(bom).items():
        say(f"{expression}: {', '.join(names)}")
    own = bom["metadata"]["component"]["licenses"][0]["expression"]
    say(f"sbom: the harness is {own}; {len(bom['components'])} components: {report}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.read()))
