"""Workers are forked from a process that has imported what they need: six interpreters that each import it for themselves
were most of what a short run took.

``harness verify`` opens a :class:`Nursery` before pytest begins, while the process has no thread but one; pytest run by somebody
else starts its workers as ever.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from harness.memory import lasting
from harness.nursery import interpreter, listening_at
from harness.nursery.apart import NurseryApart
from harness.nursery.server import serve
from harness.scratch import Scratch

#: What a worker of a run has imported when its first case begins, but for what follows from these.
_NEEDED: Final = (
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.collection",
    "harness.pytest_plugin.cases",
    "harness.pytest_plugin.plan",
    "harness.pytest_plugin.progress",
    "allure_pytest.plugin",
    "harness.http_client.session",
)


@contextlib.contextmanager
def nursery(worlds: NurseryApart | None = None) -> Iterator[Nursery | None]:
    """A nursery while this lasts; None where there can be none, which makes a run slower and nothing else.

    ``worlds`` is another that this process has started, and that its forks are not to keep alive.
    """
    with Scratch() as scratch:
        try:
            opened = None if threading.active_count() > 1 else Nursery(scratch.path / "nursery", worlds)
        except OSError:  # as where the way to the directory of temporary files is longer than a socket's path may be
            opened = None
        try:
            yield opened
        finally:
            if opened:
                opened.close()


class Nursery:
    """A pytest plugin, and the process that forks its run's workers."""

    def __init__(self, path: Path, worlds: NurseryApart | None = None) -> None:
        """Import what workers need, and fork; listen at ``path``. Raises OSError. No other thread may run."""
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a thread would not be there after the fork
        with lasting():  # and no collection writes to pages that are shared
            for module in _NEEDED:
                import_module(module)
        self._path = path
        with listening_at(path) as listening:
            lifeline, self._lifeline = os.pipe()
            self._pid = os.fork()
            if not self._pid:
                os.close(self._lifeline)
                if worlds is not None:
                    worlds.let_go()
                serve(listening, lifeline)
        os.close(lifeline)

    def close(self) -> None:
        """End it, once its workers have ended."""
        os.close(self._lifeline)
        os.waitpid(self._pid, 0)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Workers on this machine come from here, those that replace dead ones as well."""
        command = shlex.join(interpreter(self._path))
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = command
