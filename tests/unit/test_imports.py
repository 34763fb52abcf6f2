"""The house's order: who may import whom, and who may start the simulated world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest
from importlinter import cli

import harness

ROOT = Path(harness.__file__).parent.parent


def test_imports_run_downward_only(capsys: pytest.CaptureFixture[str]) -> None:
    found = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert found == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_there_is_no_circle() -> None:
    """No circle of imports, wherever in a module they stand; what is imported for types only counts as well."""
    graph = grimp.build_graph("harness", cache_dir=None)
    needs = {module: graph.find_upstream_modules(module) for module in graph.modules}
    circles = {
        frozenset({module, *(other for other in needs[module] if module in needs[other])}) for module in graph.modules
    }
    found = [sorted(circle) for circle in circles if len(circle) > 1]
    assert not found, f"circles of imports: {found}"


def strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_only_the_controller_of_a_run_starts_the_simulation() -> None:
    starts = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "harness").rglob("*.py")
        if not path.is_relative_to(ROOT / "harness" / "simulation") and "harness.simulation" in strings(path)
    }
    assert starts == {"harness/pytest_plugin/worlds.py"}


def test_no_scenario_knows_who_is_simulated() -> None:
    scenarios = list((ROOT / "scenarios").rglob("*.py"))
    assert scenarios
    for path in scenarios:
        text = path.read_text(encoding="utf-8")
        assert "simulat" not in text, path
        assert ".kind" not in text, path
