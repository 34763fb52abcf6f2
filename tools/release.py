"""``make release-check``: version, changelog and tag name one release.

The version stands in ``pyproject.toml`` and nowhere else, so that an archive without a history
builds the same package as a checkout. A release is a tag ``v<version>`` on a commit whose changelog
begins with that version and a date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

from tools import ROOT, read_toml

_HEADING = re.compile(r"^## (?P<version>\S+) – (?P<when>\S+)$", re.MULTILINE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def problems(stated: str, changelog: str, tags: Sequence[str]) -> list[str]:
    """What does not fit, a line each. ``tags`` are those of the commit: without any it is no
    release.
    """
    newest = _HEADING.search(changelog)
    if newest is None:
        return [
            "CHANGELOG.md: no heading; allowed: '## <version> – <date>', or 'unreleased' for the date"
        ]
    found = []
    if newest["version"] != stated:
        found.append(
            f"CHANGELOG.md: begins with {newest['version']}; allowed: {stated}, pyproject.toml's version"
        )
    found += [
        f"tag {tag}: allowed: v{stated}, pyproject.toml's version"
        for tag in tags
        if tag != f"v{stated}"
    ]
    if tags and not _DAY.fullmatch(newest["when"]):
        found.append(
            f"CHANGELOG.md: {stated} is {newest['when']}; allowed: the day of its release, as 2026-01-31"
        )
    return found


def version() -> str:
    """The version that ``pyproject.toml`` states."""
    read = read_toml(ROOT / "pyproject.toml")
    return str(read["project"]["version"])


def tags_here() -> list[str]:
    """The version tags of this commit; none in an archive without a history."""
    command = ["git", "-C", str(ROOT), "tag", "--points-at", "HEAD", "--list", "v*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def main() -> int:
    """Say what does not fit."""
    tags = tags_here()
    found = problems(version(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), tags)
    for line in found:
        print(f"ERROR: {line}")
    if not found:
        tagged = f"tagged {', '.join(tags)}" if tags else "no tag on this commit"
        print(f"release: {version()}, {tagged}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
