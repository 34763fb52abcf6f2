"""Tries mutants: ``python -m tools.mutation.server TEST-DIRECTORY…`` reads one a line from stdin, and says of each how it ended.

It has everything imported before it forks a process for each, which then imports anew only what may see the mutant.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import grimp
import pytest

from tools.mutation import ROOT
from tools.mutation.covering import PYTEST

_MEMORY = 4 << 30  # a loop without end may fill it


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module with another text than its file has."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self._name, self._path, self._text = name, path, text

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module, if it is the one."""
        if fullname != self._name:
            return None
        locations = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        loader = _Loader(fullname, str(self._path), self._text)
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=loader, submodule_search_locations=locations
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._changed = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._changed, self.path, "exec", dont_inherit=True)


def module_of(path: str) -> str:
    """``harness/sip/uri.py`` is ``harness.sip.uri``."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def tried(path: str, text: str, tests: Sequence[str], seconds: float, graph: grimp.ImportGraph) -> str:
    """Fork, run the tests with this text in the file's place: ``killed``, ``survived`` or ``timeout``."""
    child = os.fork()
    if child == 0:
        try:
            code = _in_child(path, text, tests, seconds, graph)
        except BaseException:
            code = 1
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    code = os.WEXITSTATUS(status)
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:  # a module that cannot be imported is another: USAGE_ERROR
        raise RuntimeError(f"no test was run: {' '.join(tests[:3])} …")
    return "survived" if code == pytest.ExitCode.OK else "killed"


def _in_child(path: str, text: str, tests: Sequence[str], seconds: float, graph: grimp.ImportGraph) -> int:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sink = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(sink, number)
    os.environ["TMPDIR"] = tempfile.mkdtemp(dir=os.environ["MUTATION_SCRATCH"])
    tempfile.tempdir = None
    name = module_of(path)
    kept = graph.find_upstream_modules(name)
    for loaded in [n for n in sys.modules if n.split(".")[0] in ("harness", "tests", "conftest") and n not in kept]:
        if loaded != "harness":
            del sys.modules[loaded]
    sys.meta_path.insert(0, Finder(name, ROOT / path, text))
    return int(pytest.main([*PYTEST, *tests]))


def main(directories: Sequence[str]) -> int:
    """Serve until stdin closes."""
    graph = grimp.build_graph("harness")
    said = os.dup(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    code = pytest.main([*PYTEST, "--collect-only", *directories])
    os.dup2(said, 1)
    if code:
        print(f"the tests cannot be collected: pytest's exit code {int(code)}", file=sys.stderr)
        return int(code)
    for line in sys.stdin:
        asked = json.loads(line)
        outcome = tried(asked["path"], asked["text"], asked["tests"], asked["seconds"], graph)
        os.write(1, (outcome + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
