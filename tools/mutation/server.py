"""Tries mutants: ``python -m tools.mutation.server TEST-DIRECTORY…`` reads one a line from stdin,
and says of each how it ended.

It has the tests collected before it forks a process for each, which imports anew what may see the
mutant: that takes a second.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import TextIO

import grimp
import pytest

from tools.mutation.covering import PYTEST

_MEMORY = 4 << 30  # a loop without end may fill it


def module_of(path: str) -> str:
    """``harness/sip/uri.py`` is ``harness.sip.uri``."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@dataclass(frozen=True)
class Trial:
    """One mutant to try, as it comes by stdin."""

    path: str
    text: str  #: of the file, changed
    tests: Sequence[str]
    seconds: float  #: until it counts as a loop without end


def tried(trial: Trial, graph: grimp.ImportGraph) -> str:
    """Fork, run the tests with this text in the file's place: ``killed``, ``survived`` or
    ``timeout``.
    """
    child = os.fork()
    if child == 0:
        try:
            code = _in_child(trial, graph)
        except BaseException:
            code = 1
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    code = os.WEXITSTATUS(status)
    if (
        code == pytest.ExitCode.NO_TESTS_COLLECTED
    ):  # a module that cannot be imported is another: USAGE_ERROR
        raise RuntimeError(f"no test was run: {' '.join(trial.tests[:3])} …")
    return "survived" if code == pytest.ExitCode.OK else "killed"


def _in_child(trial: Trial, graph: grimp.ImportGraph) -> int:
    signal.setitimer(signal.ITIMER_REAL, trial.seconds)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sink = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(sink, number)
    os.environ["TMPDIR"] = tempfile.mkdtemp(dir=os.environ["MUTATION_SCRATCH"])
    tempfile.tempdir = None
    name = module_of(trial.path)
    kept = graph.find_upstream_modules(name)
    anew = ("harness", "tests", "conftest")
    for loaded in set(sys.modules) - kept - {"harness"}:
        if loaded.split(".")[0] in anew:
            del sys.modules[loaded]
    _change(name, trial.text)
    return int(pytest.main([*PYTEST, *trial.tests]))


def _change(module: str, text: str) -> None:
    """Have this process import the module with another text than its file has."""
    of_the_file = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        if fullname != module:
            return of_the_file(loader, fullname)
        return compile(text, loader.path, "exec", dont_inherit=True)

    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]


@dataclass(frozen=True)
class Serving:
    """The pytest plugin that serves, in the place of the run of what was collected."""

    asked: TextIO
    answers: int  #: the file that answers go to

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Until stdin closes."""
        if session.testsfailed:
            raise session.Interrupted("the tests cannot be collected")
        graph = grimp.build_graph("harness")
        gc.freeze()  # a child that collects garbage would copy all of it
        for line in self.asked:
            outcome = tried(Trial(**json.loads(line)), graph)
            os.write(self.answers, (outcome + "\n").encode())
        return True


def main(directories: Sequence[str]) -> int:
    """Serve until stdin closes."""
    asked, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.dup(1)
    os.dup2(
        os.open(os.devnull, os.O_WRONLY), 1
    )  # pytest's own words; what cannot be collected has failed before
    return int(pytest.main([*PYTEST, *directories], plugins=[Serving(asked, answers)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
