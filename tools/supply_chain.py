"""``make sbom``: adds the licence of each component to an SBOM (CycloneDX), and refuses those that
nobody has agreed to.

``uv export --format cyclonedx1.5 | python -m tools.supply_chain``
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools import ROOT

REPORT = ROOT / "reports" / "sbom.json"

#: Licences that ask for no more than their notice, or (MPL) for changes to the library's own files.
PERMISSIVE = frozenset({
    "MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "ISC", "PSF-2.0", "MPL-2.0", "Zlib", "CC0-1.0",
})  # fmt: skip
#: What trove classifiers call them (PEP 639 has replaced these, and not every package has
#: followed).
_CLASSIFIERS = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
}
#: Packages whose metadata names no licence, or one that is agreed to for this package alone, with
#: the reason.
AGREED = {
    "pjsua2-python": ("GPL-2.0-or-later", "PJSIP, also sold by Teluu; runs in processes of its own, is not part of the wheel"),
    "protobuf": ("BSD-3-Clause", "its metadata names none; its LICENSE file is the three-clause BSD"),
    "soxr": ("LGPL-2.1-or-later", "resamples recordings; installed beside the wheel, unchanged, and not part of it"),
    "pyphen": ("MPL-1.1", "GPL, LGPL or MPL, at one's choice; only for the sign-off document as PDF"),
}  # fmt: skip


class LicenceError(Exception):
    """Components whose licence nobody has agreed to, a line each."""


def licence_of(name: str) -> str:
    """The licence of an installed distribution as an SPDX expression; empty when it names none that
    is known.
    """
    if name in AGREED:
        return AGREED[name][0]
    try:
        told = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if "License-Expression" in told:
        return str(told["License-Expression"])
    marked = (
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier", [])
        if line.startswith("License ::")
    )
    known = " OR ".join(_CLASSIFIERS[line] for line in marked if line in _CLASSIFIERS)
    plain = (
        str(told["License"]) if "License" in told else ""
    )  # before PEP 639: any text, often the identifier
    return known or (plain if plain in PERMISSIVE else "")


def is_agreed(name: str, expression: str) -> bool:
    """Whether every licence that applies is a permissive one: all of an AND, one of an OR."""
    if name in AGREED:
        return True
    alternatives = [
        re.findall(r"[\w.+-]+", part.replace(" AND ", " "))
        for part in expression.strip("()").split(" OR ")
    ]
    return any(part and set(part) <= PERMISSIVE for part in alternatives)


def with_licences(
    bom: dict[str, Any], licence: Callable[[str], str] = licence_of
) -> dict[str, Any]:
    """The SBOM with each component's licence. Raises :class:`LicenceError`."""
    refused = []
    for component in bom["components"]:
        name, expression = component["name"], licence(component["name"])
        if is_agreed(name, expression):
            component["licenses"] = [{"expression": expression}]
        elif component.get("purl") and _is_installed(name):
            refused.append(f"{name} {component.get('version')}: {expression or 'names no licence'}")
    if refused:
        raise LicenceError("\n".join(refused))
    return bom


def _is_installed(name: str) -> bool:
    """Whether it is a part of this machine's environment; the lock also names what other systems
    need.
    """
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def main(exported: str, report: Path = REPORT, say: Callable[[str], None] = print) -> int:
    """0 when every licence is agreed to; the SBOM is written in any case."""
    bom = json.loads(exported)
    try:
        with_licences(bom)
    except LicenceError as error:
        say(f"ERROR: licences nobody has agreed to (tools/supply_chain.py has the list):\n{error}")
        return 1
    finally:
        report.parent.mkdir(exist_ok=True)
        report.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
    licensed = sum("licenses" in component for component in bom["components"])
    say(
        f"sbom: {len(bom['components'])} components, {licensed} installed here with a licence agreed to: {report}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.read()))
