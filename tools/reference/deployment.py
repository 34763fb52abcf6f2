"""``docs/deployment.md``: every key of a deployment file, with its type, default and meaning, from the model's own source."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "deployment.md"
MODEL = ROOT / "harness" / "deployment"
BEGIN, END = "<!-- keys: made by python -m tools.reference -->", "<!-- end of keys -->"

#: The tables of a file in the order a customer thinks of them: heading → class of the model.
TABLES = {
    "At the top": "Deployment",
    "`[platform]`": "Platform",
    "`[axes]`": "Axes",
    "`[timings]`": "Timings",
    "`[[trunks]]`": "Trunk",
    "`[lines.NAME]`: numbers at the platform": "Line",
    "`[groups.NAME]`": "Group",
    "`[assistants.NAME]`": "Assistant",
    "`[synthflow]`: the AI's interface": "Synthflow",
    "`[stand_in]`": "StandIn",
    "`[escalation]`": "Escalation",
    "`[campaign]`": "Campaign",
    "`[accounts.NAME]`": "Account",
    "`[phones.NAME]`": "PhoneEntry",
    "`[numbers]`": "Numbers",
    "`[expect]`": "Expect",
    "`[limits]`": "Limits",
    "`[safety]`": "Safety",
}
_HIDDEN = {"password", "api_token", "model_config"}


@dataclass(frozen=True)
class Key:
    """One key of a table."""

    name: str
    type: str
    default: str
    meaning: str


def keys() -> dict[str, list[Key]]:
    """Class → its keys, those of its base classes first."""
    found: dict[str, list[Key]] = {}
    for module in sorted(MODEL.glob("*.py"), key=lambda path: path.name != "values.py"):  # it holds the base classes
        source = module.read_text(encoding="utf-8")
        comments = dict(_comments(source))
        for node in ast.parse(source).body:
            if not isinstance(node, ast.ClassDef):
                continue
            inherited = [key for base in node.bases if isinstance(base, ast.Name) for key in found.get(base.id, [])]
            own = [_key(item, comments) for item in node.body if isinstance(item, ast.AnnAssign)]
            found[node.name] = [*inherited, *(key for key in own if key.name not in _HIDDEN)]
    return found


def page() -> str:
    """The page with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    every = keys()
    parts = [BEGIN, ""]
    for heading, name in TABLES.items():
        parts += [f"### {heading}", "", "| key | value | default | meaning |", "|---|---|---|---|"]
        parts += [f"| `{k.name}` | {k.type} | {k.default} | {k.meaning} |" for k in every[name]]
        parts.append("")
    return head + "\n".join([*parts, END]) + tail


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Line → its ``#:`` comment; those that stand above a key are joined and belong to the key's line."""
    above: list[str] = []
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not (token.string.startswith("#:") or (above and token.string[0] == "#")):
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


def _key(item: ast.AnnAssign, comments: dict[int, str]) -> Key:
    assert isinstance(item.target, ast.Name)
    name, default = item.target.id, item.value
    alias = None
    if isinstance(default, ast.Call) and isinstance(default.func, ast.Name) and default.func.id == "Field":
        alias = next((k.value for k in default.keywords if k.arg == "alias"), None)
        default = default.args[0] if default.args else None
    if isinstance(alias, ast.Constant):
        name = str(alias.value)
    end = item.end_lineno or item.lineno
    meaning = " ".join(comments[row] for row in range(item.lineno, end + 1) if row in comments)
    return Key(name, _cell(_type(item.annotation)), _cell(_default(default)), meaning.replace("``", "`"))


def _type(annotation: ast.expr) -> str:
    text = ast.unparse(annotation).removesuffix(" | None")
    if text.startswith("Annotated["):
        text = text.removeprefix("Annotated[").partition(",")[0]
    return text.replace("Annotated[str, Field(pattern='^[A-Z]{2}$')]", "str")


def _default(default: ast.expr | None) -> str:
    if default is None:
        return "needed"
    text = ast.unparse(default)
    return "none" if text in ("None", "()", "{}") else text


def _cell(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text not in ("needed", "none") else text
