"""The house's order: who may import whom, and who may start the simulated world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from importlinter import cli

import harness

ROOT = Path(harness.__file__).parent.parent


def test_imports_run_downward_only(capsys) -> None:
    found = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert found == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_only_a_runs_controller_and_the_bench_start_the_simulation() -> None:
    starts = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "harness").rglob("*.py")
        if not path.is_relative_to(ROOT / "harness" / "simulation") and "harness.simulation" in strings(path)
    }
    assert {path for path in starts if not path.startswith("harness/bench/")} == {"harness/pytest_plugin/worlds.py"}


def test_no_scenario_knows_who_is_simulated() -> None:
    scenarios = list((ROOT / "scenarios").rglob("*.py"))
    assert scenarios
    for path in scenarios:
        text = path.read_text(encoding="utf-8")
        assert "simulat" not in text, path
        assert ".kind" not in text, path
