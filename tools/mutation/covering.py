"""Which tests run which lines: ``python -m tools.mutation.covering OUT PATH…`` runs the tests once
and writes it as JSON.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import coverage
import pytest

from tools import ROOT, read_json

_AT_IMPORT = ""  # coverage's name for what no test ran


@dataclass(frozen=True)
class Covering:
    """``tests`` by file and line, ``seconds`` by test."""

    tests: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def of(self, path: str, line: int) -> list[str]:
        """The tests that a change of this line may fail, the quickest first; all of them for what
        runs at import.
        """
        by_line = self.tests.get(path, {})
        chosen = {test for number in _statement(path, line) for test in by_line.get(number, ())}
        if _AT_IMPORT in chosen:
            chosen = set(self.seconds)
        return sorted(chosen, key=lambda test: (self.seconds[test], test))


def measured(tests: Sequence[str], scratch: Path) -> Covering:
    """Run the tests in a process of their own. Raises RuntimeError when one fails: nothing could be
    learned then.
    """
    command = [sys.executable, "-m", "tools.mutation.covering", str(scratch), *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"the tests fail without a mutant: {' '.join(tests)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    read = read_json(scratch)
    tests_by_line = {
        path: {int(line): names for line, names in lines.items()}
        for path, lines in read["tests"].items()
    }
    return Covering(tests_by_line, read["seconds"])


def _statement(path: str, line: int) -> range:
    """The lines of the innermost statement around a line; of a compound one, its head."""
    around = [extent for extent in _extents(path) if line in extent]
    return min(around, key=len) if around else range(line, line + 1)


@cache
def _extents(path: str) -> list[range]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = ast.stmt | ast.ExceptHandler
    return [_extent(node) for node in ast.walk(tree) if isinstance(node, kinds)]


def _extent(node: ast.stmt | ast.ExceptHandler) -> range:
    body = getattr(node, "body", None)
    end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
    return range(node.lineno, max(end, node.lineno + 1))


@dataclass
class _Contexts:
    """The pytest plugin that tells coverage which test runs."""

    measuring: coverage.Coverage
    seconds: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """One test, its fixtures included."""
        began = time.perf_counter()
        self.measuring.switch_context(item.nodeid)
        found = yield
        self.measuring.switch_context(_AT_IMPORT)
        self.seconds[item.nodeid] = time.perf_counter() - began
        return found


def main(out: str, *tests: str) -> int:
    """Run and write; pytest's exit code."""
    measuring = coverage.Coverage(data_file=None, source=[str(ROOT / "harness")], config_file=False)
    contexts = _Contexts(measuring)
    measuring.start()
    code = pytest.main([*PYTEST, *tests], plugins=[contexts])
    measuring.stop()
    data = measuring.get_data()
    found = {
        str(Path(file).relative_to(ROOT)): data.contexts_by_lineno(file)
        for file in sorted(data.measured_files())
    }
    Path(out).write_text(
        json.dumps({"tests": found, "seconds": contexts.seconds}), encoding="utf-8"
    )
    return int(code)


#: The plugin of verification runs is left out: the tests do not need it, and it imports everything.
PYTEST = (
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "--hypothesis-seed=0",
    "--confcutdir=tests",
    "--rootdir=.",
)

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
