"""The fences of a documentation page: files to write and commands to run.

A fence with a title is a file of that name. A fence of ``sh`` holds commands, one a line; a
backslash continues a line, and ``# exits 1`` at its end states the exit code. Every other fence,
and indented code, is shown and not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+#\s*(?:exits (\d+))?.*$")


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page."""

    language: str
    title: str  #: the file's name, or empty
    text: str


@dataclass(frozen=True)
class Command:
    """A line of a shell."""

    line: str
    exits: int = 0


def fences(page: Path) -> list[Fence]:
    """All of a page, in order."""
    found = [
        Fence(*(part or "" for part in match))
        for match in _FENCE.findall(page.read_text(encoding="utf-8"))
    ]
    assert page.read_text(encoding="utf-8").count("\n```") == 2 * len(found), (
        f"{page}: a fence cannot be read"
    )
    return found


def files(page: Path) -> dict[str, str]:
    """Name → text of every file the page has one write."""
    return {fence.title: fence.text for fence in fences(page) if fence.title}


def commands(page: Path) -> Iterator[Command]:
    """Every command of the page, in order."""
    for fence in fences(page):
        if fence.language != "sh":
            continue
        for line in fence.text.replace("\\\n", " ").splitlines():
            if line.strip():
                exits = _COMMENT.search(line)
                yield Command(_COMMENT.sub("", line).strip(), int(exits[1] or 0) if exits else 0)
