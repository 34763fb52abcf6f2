"""The size of files and functions. What is larger is listed with its size, which may only shrink."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 450, 50
FILES: dict[str, int] = {}
FUNCTIONS: dict[str, int] = {}


def sources() -> Iterator[tuple[str, str]]:
    for room in ("harness", "tools", "scenarios"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def files() -> dict[str, int]:
    return {name: count for name, text in sources() if (count := text.count("\n")) > MOST_LINES}


def functions() -> dict[str, int]:
    found = {}
    for name, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (node.end_lineno or node.lineno) - node.lineno + 1
                if count > MOST_LINES_OF_A_FUNCTION:
                    found[f"{name}:{node.name}"] = count
    return found


@pytest.mark.parametrize(("found", "listed"), [(files(), FILES), (functions(), FUNCTIONS)], ids=["files", "functions"])
def test_nothing_grows_beyond_its_size(found: dict[str, int], listed: dict[str, int]) -> None:
    assert {name: count for name, count in found.items() if count > listed.get(name, 0)} == {}


@pytest.mark.parametrize(("found", "listed"), [(files(), FILES), (functions(), FUNCTIONS)], ids=["files", "functions"])
def test_what_has_become_small_is_listed_no_more(found: dict[str, int], listed: dict[str, int]) -> None:
    assert set(listed) <= set(found)
