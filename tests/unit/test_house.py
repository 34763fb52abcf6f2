"""Rows are named where they are declared, and nowhere else in the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from harness import integrations

ROOT = Path(__file__).parents[2]


def sources(*rooms: str) -> Iterator[tuple[str, str]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


#: Rows that are called as what they prove is in the RFCs.
_ALSO_WORDS = {"PRACK", "SRTP"}


def rows_known_in(text: str) -> set[str]:
    """The ids of rows in the strings of a module: a whole string, or within one where it can be
    nothing else.
    """
    ids = {
        row.id for name in integrations.names() for row in integrations.find(name).rows
    } - _ALSO_WORDS
    unmistakable = re.compile(
        rf"(?<![\w-])(?:{'|'.join(sorted(name for name in ids if '-' in name))})(?![\w-])"
    )
    strings = [
        n.value
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    return {string for string in strings if string in ids} | {
        found for string in strings for found in unmistakable.findall(string)
    }


def test_a_row_is_known_where_it_is_declared_and_nowhere_else() -> None:
    """What differs between rows is said by the rows themselves (``harness/integrations/tables``),
    which others ask.
    """
    assert rows_known_in('ROW = "BUSY", "not TD-CAPACITY"') == {"BUSY", "TD-CAPACITY"}
    assert [name for name, text in sources("harness") if rows_known_in(text)] == []
