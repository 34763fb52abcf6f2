"""What the documents promise: the tests they name exist, figures have their command, every page is
in the site and leads somewhere.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.site.stage import faults, sources

ROOT = Path(__file__).resolve().parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PAGES = sorted(
    str(path.relative_to(ROOT)) for path in {*(ROOT / "docs").glob("*.md"), ROOT / "README.md"}
)


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_each_test_that_a_page_names_exists(page: str) -> None:
    named = _TEST.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file()
        or (name and f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_each_row_of_a_promise_names_a_test(page: str) -> None:
    tables = re.findall(
        r"(?:^\|.*\n)+", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE
    )
    promised = [
        line
        for header, _rule, *lines in map(str.splitlines, tables)
        if header.endswith("| test |")
        for line in lines
    ]
    assert len(promised) > 10
    assert [line for line in promised if not _TEST.search(line)] == []


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_what_a_promise_says_beside_its_tables_names_a_test_or_a_command_too(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    told = text[text.index("| test |") :]
    paragraphs = [part for part in told.split("\n\n") if not part.lstrip().startswith(("|", "#"))]
    assert paragraphs
    assert [
        part
        for part in paragraphs
        if not _TEST.search(part) and not re.search(r"`make [a-z-]+`", part)
    ] == []


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_no_test_that_a_page_names_is_skipped(page: str) -> None:
    skipped = re.compile(r"\bpytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    for file, name in _TEST.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        functions = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        marks = [
            node
            for node in tree.body
            if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0])
        ]
        said = [node for node in functions if node.name == (name or node.name)] + marks
        used = [
            ast.unparse(node)
            for one in said
            for node in ast.walk(one)
            if isinstance(node, ast.Attribute)
        ]
        assert [text for text in used if skipped.search(text)] == [], f"{file}::{name}"


#: What says that a figure was measured, and the figure; and the command that does it.
_MEASURED = re.compile(r"\b(measured|median|p50|p95|p99|took|of (one|a) core|cores)\b")
_FIGURE = re.compile(r"\d ?(ms|µs|s|%|MB|KB|min)(?![\w/])")
_COMMAND = re.compile(r"\b(make [a-z-]+|python -m [\w.]+|harness [a-z]+)")


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Each heading with what stands below it, up to the next."""
    for part in re.split(r"(?m)^(?=#+ )", text):
        yield part.partition("\n")[0], part


def without_command(text: str) -> list[str]:
    return [
        f"{heading}: {line.strip()[:120]}"
        for heading, section in sections(text)
        if not _COMMAND.search(section)
        for line in section.splitlines()
        if _MEASURED.search(line) and _FIGURE.search(line)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_no_figure_without_the_command_that_made_it(page: str) -> None:
    assert without_command((ROOT / page).read_text(encoding="utf-8")) == []


def nav(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else nav(value)


def test_every_page_is_in_the_site() -> None:
    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    listed = list(nav(project["nav"]))
    assert sorted(listed) == sorted(sources()), "add the page to nav in zensical.toml"


def test_a_page_that_fetches_something_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "there.html").write_text("<p>")
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><link href="//fonts.example/f.css" rel="stylesheet">'
        '<a href="there.html#b">b</a><a href="nowhere.html">c</a><a href="https://example.com">d</a>'
    )
    (tmp_path / "s.css").write_text(
        '@import "https://fonts.example/f.css"; a { background: url(local.png) }'
    )
    assert list(faults(tmp_path)) == [
        "a.html: fetches https://cdn.example/x.js",
        "a.html: fetches //fonts.example/f.css",
        "a.html: nowhere.html: leads nowhere",
        "s.css: fetches https://fonts.example/f.css",
    ]
