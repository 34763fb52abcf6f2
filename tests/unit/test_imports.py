"""The house's order: who may import whom, and who may start the simulated world."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp

import harness

ROOT = Path(harness.__file__).parent.parent


def test_imports_run_downward_only() -> None:
    """In a process of its own: the program switches off all loggers of the one that it runs in."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_there_is_no_circle() -> None:
    """No circle of imports, wherever in a module they stand. Imports for types alone do not count."""
    graph = grimp.build_graph("harness", cache_dir=None, exclude_type_checking_imports=True)
    needs = {module: graph.find_upstream_modules(module) for module in graph.modules}
    circles = {
        frozenset({module, *(other for other in needs[module] if module in needs[other])})
        for module in graph.modules
    }
    found = [sorted(circle) for circle in circles if len(circle) > 1]
    assert not found, f"circles of imports: {found}"


MOST_FILES = 5


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan), the largest first."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        path.append(module)
        for imported in graph.find_modules_directly_imported_by(module):
            if imported not in number:
                visit(imported)
            if imported in path:
                lowest[module] = min(lowest[module], lowest[imported])
        if lowest[module] == number[module]:
            begin = path.index(module)
            if len(path) - begin > 1:
                found.append(sorted(path[begin:]))
            del path[begin:]

    for module in sorted(graph.modules):
        if module not in number:
            visit(module)
    return sorted(found, key=len, reverse=True)


def test_a_circle_of_imports_has_at_most_five_files() -> None:
    """Imports for types alone count as well: who reads one file of a circle has to know them all."""
    graph = grimp.build_graph("harness", cache_dir=None)  # with imports under TYPE_CHECKING
    assert [circle for circle in circles(graph) if len(circle) > MOST_FILES] == []


def strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_only_the_controller_of_a_run_starts_the_simulation() -> None:
    starts = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "harness").rglob("*.py")
        if not path.is_relative_to(ROOT / "harness" / "world")
        and any(text.startswith("harness.world") for text in strings(path))
    }
    assert starts == {"harness/run/plugin/worlds.py", "harness/run/cli/startup.py"}


def test_no_scenario_knows_who_is_simulated() -> None:
    scenarios = list((ROOT / "scenarios").rglob("*.py"))
    assert scenarios
    for path in scenarios:
        text = path.read_text(encoding="utf-8")
        assert "simulat" not in text, path
        assert ".kind" not in text, path


def test_the_architecture_draws_the_floors_that_hold() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawn = re.search(r"Imports run downward only: `([^`]*)`", page)
    assert drawn is not None
    (contract,) = (
        one
        for one in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
            "importlinter"
        ]["contracts"]
        if one.get("containers") == ["harness"]
    )
    floors = [set(layer.replace("|", " ").split()) for layer in reversed(contract["layers"])]
    assert [set(floor.split()) for floor in drawn[1].split("←")] == floors


def test_the_architecture_names_every_tool() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    found = [path for path in (ROOT / "tools").iterdir() if path.name != "__pycache__"]
    tools = {path.name for path in found if any(path.glob("*.*"))}
    tools |= {
        path.stem
        for path in found
        if path.suffix == ".py" and "__main__" in path.read_text(encoding="utf-8")
    }
    named = re.search(r"`tools` \(([^)]*)\)", page)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) == tools


def test_the_softphones_process_imports_what_it_says_it_may() -> None:
    """What it imports, each new phone process waits for."""
    graph = grimp.build_graph("harness", cache_dir=None)
    child = {"harness.phone.child", *graph.find_descendants("harness.phone.child")}
    imported = (
        set().union(*(graph.find_modules_directly_imported_by(module) for module in child)) - child
    )
    phones = "harness.phone."
    deeper = ("harness.case.", "harness.support.")  # rooms of which it may import single modules
    used = {
        name.removeprefix(phones)
        if name.startswith(phones)
        else ".".join(name.split(".")[: 3 if name.startswith(deeper) else 2])
        for name in imported
    }
    text = (ROOT / "harness" / "phone" / "child" / "__init__.py").read_text(encoding="utf-8")
    rule = text.partition("may import")[2].partition(";")[0]
    assert used == set(re.findall(r"``([\w.]+)``", rule))


def imports_of(path: Path) -> Iterator[str]:
    """Modules, and names in them, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_what_several_tests_use_is_in_a_module_without_tests() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name in imports_of(path)
        if name.startswith("tests.") and ".test_" in name
    ]
    assert not found, "move what they share to a module whose name does not begin with test_"


def test_no_tool_imports_tests() -> None:
    imported = {name for path in (ROOT / "tools").rglob("*.py") for name in imports_of(path)}
    assert not [name for name in imported if name.split(".")[0] == "tests"]
