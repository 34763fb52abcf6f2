"""The size of files and functions, and where rows are known. What is larger is listed with its size, which may only shrink."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from harness import integrations

ROOT = Path(__file__).parents[2]
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 450, 50
FILES: dict[str, int] = {}
FUNCTIONS: dict[str, int] = {}
OWN_CODE = ("harness", "tools", "scenarios")


def sources(*rooms: str) -> Iterator[tuple[str, str]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


@cache
def files() -> dict[str, int]:
    return {name: count for name, text in sources(*OWN_CODE, "tests") if (count := text.count("\n")) > MOST_LINES}


@cache
def functions() -> dict[str, int]:
    found = {}
    for name, text in sources(*OWN_CODE, "tests"):
        if text.count("\n") < MOST_LINES_OF_A_FUNCTION:
            continue  # nothing in it can be longer
        for node in defined_in(ast.parse(text).body):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > MOST_LINES_OF_A_FUNCTION:
                found[f"{name}:{node.name}"] = count
    return found


def defined_in(nodes: Iterable[ast.AST]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, however deep; expressions, most of a tree, hold none."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for within in ("body", "orelse", "handlers", "finalbody", "cases"):
            yield from defined_in(getattr(node, within, ()))


SIZES = pytest.mark.parametrize(
    ("find", "listed"), [(files, FILES), (functions, FUNCTIONS)], ids=["files", "functions"]
)


@SIZES
def test_nothing_grows_beyond_its_size(find: Callable[[], dict[str, int]], listed: dict[str, int]) -> None:
    assert {name: count for name, count in find().items() if count > listed.get(name, 0)} == {}


@SIZES
def test_what_has_become_small_is_listed_no_more(find: Callable[[], dict[str, int]], listed: dict[str, int]) -> None:
    assert set(listed) <= set(find())


#: Rows that are called as what they prove is in the RFCs.
_ALSO_WORDS = {"PRACK", "SRTP"}


def rows_known_in(text: str) -> set[str]:
    """The ids of rows in the strings of a module: a whole string, or within one where it can be nothing else."""
    ids = {row.id for name in integrations.names() for row in integrations.find(name).rows} - _ALSO_WORDS
    unmistakable = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(name for name in ids if '-' in name))})(?![\w-])")
    strings = [n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return {string for string in strings if string in ids} | {
        found for string in strings for found in unmistakable.findall(string)
    }


def test_a_row_is_known_where_it_is_declared_and_nowhere_else() -> None:
    """What differs between rows is said by the rows themselves (``harness/integrations``), which others ask."""
    known = {name: rows for name, text in sources("harness") if (rows := rows_known_in(text))}
    assert {name for name in known if not name.startswith("harness/integrations/")} == set()
    assert len(known) >= 3, "the integrations declare them"
