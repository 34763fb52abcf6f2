"""``docs/deployment.md``: every key of a deployment file, with its type, default and meaning, from
the model's own source.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from harness.deployment import model, network, routing, tables, terms, values
from harness.deployment.file import NEEDED_BUT_SIMULATED
from harness.support.model_words import bounds
from harness.support.resources import prompt_names
from tools import ROOT, read_toml

_MODULES = (model, values, network, routing, tables, terms)
#: What the model's annotations name.
_NAMED = {name: value for module in _MODULES for name, value in vars(module).items()}
#: The classes of the model.
_CLASSES: dict[str, type[BaseModel]] = {
    name: value
    for name, value in _NAMED.items()
    if isinstance(value, type) and issubclass(value, BaseModel) and value is not BaseModel
}
PAGE = ROOT / "docs" / "deployment.md"
BEGIN, END = "<!-- keys: made by python -m tools.reference -->", "<!-- end of keys -->"

_OF_THE_PAGE = read_toml(Path(__file__).with_name("words.toml"))
#: Heading → class of the model.
TABLES: dict[str, str] = _OF_THE_PAGE["tables"]
_HIDDEN = {"password", "api_token", "headers_secret", "model_config", "_place"}
#: What an annotation is called where customers read.
_WORDS: dict[str, str] = _OF_THE_PAGE["annotations"]

_HEAD = (
    "In brackets stand a key's value (text, unless said) and its default, or *needed*. A *flag* is true or false. "
    "A *host* is a name or an address. A *prompt* is one that comes with the harness ("
    + ", ".join(f"`{name}`" for name in prompt_names())
    + "), or a WAV file."
)


@dataclass(frozen=True)
class Key:
    """One key of a table."""

    name: str
    type: str
    default: str
    meaning: str


def keys() -> dict[str, list[Key]]:
    """Class → its keys, those of its base classes last."""
    return {name: _keys(of) for name, of in _CLASSES.items()}


@cache
def _keys(of: type[BaseModel]) -> list[Key]:
    source = inspect.getsource(of)
    comments = dict(_comments(source))
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    own = [_key(item, comments, of) for item in node.body if isinstance(item, ast.AnnAssign)]
    names = {key.name for key in own}
    found = [key for key in own if key.name not in _HIDDEN]
    for base in of.__bases__:
        if base.__name__ in _CLASSES:
            found += [key for key in _keys(base) if key.name not in names]
    return found


def page() -> str:
    """The page with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    every = keys()
    parts = [BEGIN, "", _HEAD, ""]
    shown: dict[str, list[Key]] = {}
    for heading, name in TABLES.items():
        parts += [f"### {heading}", "", *_lines(every[name], shown), ""]
        shown.setdefault(heading.partition(":")[0], every[name])
    return head + "\n".join([*parts, END]) + tail


def _lines(keys: list[Key], shown: dict[str, list[Key]]) -> Iterator[str]:
    """A line for each key; keys that an earlier table has in the same form are listed together."""
    again: dict[str, list[str]] = {}
    tables = [key for key in keys if key.type.startswith("table") and key.meaning.endswith("]`)")]
    if tables:
        names = ", ".join(
            f"`{key.name}`" + " (needed)" * (key.default == "needed") for key in tables
        )
        yield f"- Tables with a section of their own below: {names}"
    for key in (key for key in keys if key not in tables):
        earlier = next((heading for heading, others in shown.items() if key in others), None)
        if earlier and len(set(keys) & set(shown[earlier])) > 1:
            again.setdefault(earlier, []).append(f"`{key.name}`")
        else:
            default = {"none": "", "needed": ", needed"}.get(key.default, f"; {key.default}")
            value = "" if (key.type, default) == ("text", "") else f" ({_short(key.type)}{default})"
            yield f"- `{key.name}`{value}: {key.meaning.rstrip('.')}"
    yield from (f"- {', '.join(names)}: as in {heading}" for heading, names in again.items())


def _short(type_: str) -> str:
    """The same in signs: numbers by their bounds, a choice of yes and no by nothing but its
    default.
    """
    type_ = (
        type_.replace("list of: ", "list of ")
        .replace("number above 0, up to", "above 0 to")
        .replace("number above 0", "> 0")
    )
    type_ = re.sub(
        r"(?:whole )?number from (\d+)(?! to)\b",
        r"≥ \1",
        re.sub(r"(?:whole )?number from (\d+) to", r"\1 to", type_),
    )
    return type_.replace("true, false", "flag")


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Line → its ``#:`` comment; those that stand above a key are joined and belong to the key's
    line.
    """
    above: list[str] = []
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not (
            token.string.startswith("#:") or (above and token.string[0] == "#")
        ):
            continue
        text = token.string.lstrip("#:").strip()
        row = token.start[0]
        if lines[row - 1].strip().startswith("#"):
            above.append(text)
            if not lines[row].strip().startswith("#"):
                yield row + 1, " ".join(above)
                above = []
        else:
            yield row, text


def _key(item: ast.AnnAssign, comments: dict[int, str], of: type[BaseModel]) -> Key:
    assert isinstance(item.target, ast.Name)
    name, default = item.target.id, item.value
    alias = None
    if (
        isinstance(default, ast.Call)
        and isinstance(default.func, ast.Name)
        and default.func.id == "Field"
    ):
        alias = next((k.value for k in default.keywords if k.arg == "alias"), None)
        default = default.args[0] if default.args else None
    if isinstance(alias, ast.Constant):
        name = str(alias.value)
    end = item.end_lineno or item.lineno
    meaning = " ".join(comments[row] for row in range(item.lineno, end + 1) if row in comments)
    table = _table(item.annotation)
    if not meaning and table:
        meaning = re.split(r"[.:]", inspect.cleandoc(_CLASSES[table].__doc__ or ""))[0].rstrip(" ;")
        if table in TABLES.values():
            meaning += f" ({_heading(table)})"
    type_ = _type(item.annotation)
    if type_.endswith("number"):
        type_ += bounds(of.model_fields[item.target.id])
    needed = name in NEEDED_BUT_SIMULATED.get(of, ())
    default_ = "needed, unless simulated" if needed else _default(default)
    return Key(name, type_, default_, meaning.replace("``", "`"))


def _heading(table: str) -> str:
    """How the file calls a table: `[[trunks]]`."""
    return next(heading for heading, name in TABLES.items() if name == table).partition(":")[0]


def _type(annotation: ast.expr) -> str:
    """An annotation in words: ``tuple[E164, ...]`` is a list of telephone numbers."""
    match annotation:
        case ast.BinOp(left=left):  # X | None
            return _type(left)
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[inner, *_])):
            return _type(inner)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=values):
            return ", ".join(f"`{ast.literal_eval(one)}`" for one in _each(values))
        case ast.Subscript(
            value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[inner, ast.Constant(value=x)])
        ) if x is ...:
            return "tables" if _type(inner) == "table" else f"list of: {_type(inner)}"
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=elements)):
            return f"list of {len(elements)}: {_type(elements[0])}"
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, inner])):
            return (
                "tables by name"
                if _type(inner) == "table"
                else f"table: {_type(key)} = {_type(inner)}"
            )
        case ast.Name(id=name) if get_origin(_NAMED.get(name)) is Literal:
            return ", ".join(f"`{value}`" for value in get_args(_NAMED[name]))
        case ast.Name(id=name):
            return _WORDS.get(name, "table")
    raise ValueError(
        f"{ast.unparse(annotation)}: no words for it; allowed: what tools/reference/deployment.py knows"
    )


def _each(values: ast.expr) -> list[ast.expr]:
    return values.elts if isinstance(values, ast.Tuple) else [values]


def _table(annotation: ast.expr) -> str:
    """The class of the model that an annotation names, where it names one; else nothing."""
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return min(names & _CLASSES.keys(), default="")


def _default(default: ast.expr | None) -> str:
    if default is None:
        return "needed"
    match default:
        case ast.Constant(value=None) | ast.Tuple(elts=[]) | ast.Dict(keys=[]) | ast.Call():
            return "none"
        case ast.Constant(value=bool() as value):
            return f"`{str(value).lower()}`"
        case ast.Tuple(elts=elements):
            return f"`{json.dumps([ast.literal_eval(one) for one in elements])}`"
        case ast.Constant(value=str() as text):
            return f"`{text}`" if text else "empty"
    return f"`{ast.unparse(default)}`"
