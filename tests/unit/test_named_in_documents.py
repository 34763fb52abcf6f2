"""What the documents name is there: commands and their options, make targets, modules, files, keys
of a deployment file, rows.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from harness import integrations
from harness.case.check_table import CHECKS
from harness.run.cli.app import application
from tools.reference import deployment

ROOT = Path(__file__).resolve().parents[2]
#: What CHANGELOG says of the past need not be there any more; what examples of one's own name is
#: not the project's.
PAGES = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    ]
)
_FENCE = re.compile(r"^```(?:sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^ {4}\S.*$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


@cache
def code(page: Path) -> tuple[str, ...]:
    """Every line of a block of commands, and every span of code."""
    text = page.read_text(encoding="utf-8")
    blocks = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    return (
        *blocks,
        *(line.strip() for line in _INDENTED.findall(text)),
        *_SPAN.findall(re.sub(r"(?ms)^```.*?^```$", "", text)),
    )


@cache
def options() -> dict[str, frozenset[str]]:
    """Command → its options; those of a command's own commands are among its own."""
    root = typer.main.get_command(application())
    assert isinstance(root, TyperGroup)

    def of(command: object) -> Iterator[str]:
        for parameter in getattr(command, "params", ()):
            yield from (*parameter.opts, *parameter.secondary_opts)
        for inner in getattr(command, "commands", {}).values():
            yield from of(inner)

    return {name: frozenset(of(command)) for name, command in root.commands.items()}


def commands(line: str) -> Iterator[tuple[str, str]]:
    """Each ``harness COMMAND`` of a line, and what stands behind it."""
    line = re.sub(r"\s#\s.*| {3,}.*", "", line)
    for part in re.split(r"[;|]|&&", line):
        if match := re.match(
            r"(?:\$ |\S+=\S* )*(?:\.venv/bin/)?harness ([a-z]+)\b(.*)", part.strip()
        ):
            yield match[1], re.sub(r'"[^"]*"', "", match[2])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(page: Path) -> None:
    wrong = []
    for line in code(page):
        for name, rest in commands(line):
            known = options().get(name)
            if known is None:
                wrong.append(f"harness {name}")
            else:
                wrong += [
                    f"harness {name} {option}"
                    for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)
                    if option not in known
                ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_and_module_exists(page: Path) -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {
        match for line in code(page) for match in re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", line)
    }
    assert named - targets == set()
    modules = {
        match
        for line in code(page)
        for match in re.findall(r"python -m ((?:harness|tools)[\w.]*)", line)
    }
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_exists(page: Path) -> None:
    paths = {
        span
        for span in code(page)
        if re.fullmatch(r"(harness|tools|tests|scenarios|deploy|audio_fixtures)/[\w./-]+", span)
    }
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


#: Settings of the simulated world, and modules, are written like keys.
OTHER_WORDS = {"simulation.md", "ARCHITECTURE.md"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in OTHER_WORDS], ids=lambda page: page.name
)
def test_every_key_of_a_deployment_file_exists(page: Path) -> None:
    keys = {name: {key.name for key in found} for name, found in deployment.keys().items()}
    tables = {
        match[1]: keys[model]
        for heading, model in deployment.TABLES.items()
        if (match := re.match(r"`\[+(\w+)(?:\.NAME)?\]+`", heading))
    }
    dotted = [re.fullmatch(r"(\w+)\.(?:(?:NAME|x)\.)?([a-z_]+)", span) for span in code(page)]
    named = [
        (match[1], match[2])
        for match in dotted
        if match and match[1] in tables and match[0] not in {*CHECKS, "nightly.html"}
    ]
    beside = [
        re.fullmatch(r"\[+(\w+)(?:\.\w+)?\]+ ([a-z_]+)(?: = .*)?", span) for span in code(page)
    ]
    beside += [
        re.fullmatch(r"\[(expect|limits|safety|synthflow|campaign|escalation)\.(\w+)\]", span)
        for span in code(page)
    ]
    named += [(match[1], match[2]) for match in beside if match and match[1] in tables]
    assert [f"{table}.{key}" for table, key in named if key not in tables[table]] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_exists(page: Path) -> None:
    rows = {row.id for name in integrations.names() for row in integrations.find(name).rows}
    named = {span for span in code(page) if re.fullmatch(r"(TD|GL|SBC)(-[A-Z]+)+", span)}
    assert named - rows == set()


def test_what_is_not_there_would_be_found() -> None:
    assert list(commands(".venv/bin/harness verify a.toml --nowhere   # exits 1")) == [
        ("verify", " a.toml --nowhere")
    ]
    assert "--nowhere" not in options()["verify"]
    assert {"--row", "-n", "--fault"} <= options()["verify"]
    assert "--key" in options()["signoff"]
