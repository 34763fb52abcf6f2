"""What a run is made with: the versions that its scope puts down before the first call."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

_PACKAGES = {
    "harness": "call-verification-harness",
    "pjsua2": "pjsua2-python",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
    "allure": "allure-pytest",
    "pydantic": "pydantic",
    "numpy": "numpy",
}


def versions() -> dict[str, str]:
    """Those of this process."""
    found = {"python": platform.python_version()}
    for name, package in _PACKAGES.items():
        found[name] = _version(package)
    return found | {"system": f"{platform.system()} {platform.release()}"}


@cache
def _version(package: str) -> str:
    """Read once: it is a line of a text that has all of the package's description, and what runs stays what it is."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def together(every: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Those of several runs, each different one."""
    found: dict[str, dict[str, None]] = {}
    for one in every:
        for name, version in one.items():
            found.setdefault(name, {}).update(dict.fromkeys(version.split(" and ")))
    return {name: " and ".join(known) for name, known in found.items()}
