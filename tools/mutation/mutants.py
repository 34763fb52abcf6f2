"""The mutants of a file: cosmic-ray's operators, those of them that change what a program does in
the ordinary ways.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

_COMPARISONS = (
    "Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt"
)
_ARITHMETIC = "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mul Mod_Mul BitAnd_BitOr"
#: A comparison is negated, or moved by one. Arithmetic is inverted; ``|`` is left alone, since most
#: of them stand in types.
OPERATORS: Final = (
    *(f"ReplaceComparisonOperator_{change}" for change in _COMPARISONS.split()),
    *(f"ReplaceBinaryOperator_{change}" for change in _ARITHMETIC.split()),
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "AddNot",
    "NumberReplacer",
    "ExceptionReplacer",
    "ZeroIterationForLoop",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
)


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: str  #: of the file, from the root of the repository
    line: int
    operator: str
    occurrence: int  #: of the operator in the file
    text: str  #: of the line

    def key(self, seed: str = "") -> str:
        """Draws a sample: the same as long as the line and its place among the operator's in the
        file are.
        """
        return hashlib.sha256(
            f"{seed}{self.path} {self.operator} {self.occurrence} {self.text}".encode()
        ).hexdigest()


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """All mutants of a file."""
    text = (root / path).read_text(encoding="utf-8")
    lines, nodes, ignored = (
        text.splitlines(),
        list(ast_nodes(get_ast(text))),
        set(_decorators(ast.parse(text))),
    )
    markers = {node.start_pos for node in nodes if _is_marker(node)}
    for name in OPERATORS:
        operator = _operator(name)
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, ((line, column), _) in enumerate(places):
            if line not in ignored and (line, column) not in markers:
                yield Mutant(path, line, name, occurrence, lines[line - 1].strip())


def changed(text: str, operator: str, occurrence: int) -> str:
    """The file's text with one change."""
    made = mutate_code(text, _operator(operator), occurrence)
    assert made is not None, f"{operator} has no occurrence {occurrence}"
    return str(made)


def _operator(name: str) -> Any:
    return plugins.get_operator(f"core/{name}")()


def _is_marker(node: Any) -> bool:
    """Whether it is the ``*`` of a signature, which a factor's operator would make a ``/``: how a
    function is called is mypy's to say, and changes nothing that it does.
    """
    return (
        node.type == "operator"
        and node.value == "*"
        and node.parent.type in ("parameters", "param", "typedargslist")
    )


def _decorators(tree: ast.Module) -> Iterator[int]:
    """Lines of decorators: ``frozen=True`` of a dataclass is for the reader."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for decorator in node.decorator_list:
                yield from range(decorator.lineno, (decorator.end_lineno or decorator.lineno) + 1)


def difference(before: str, after: str) -> tuple[str, str]:
    """The lines of two texts that differ, without indentation."""
    old, new = before.splitlines(), after.splitlines()
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    last = next(
        (i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b), 0
    )
    return _joined(old[first : len(old) - last]), _joined(new[first : len(new) - last])


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
