"""Workers are forked from a process that has imported what they need: six interpreters that each import it took most of the time
of a short run.

``harness verify`` starts a :class:`WorkerForkServer` before pytest begins, while the process has only one thread. pytest itself
starts its workers as always.
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

from harness.support.files.own_directories import Scratch
from harness.support.forkserver import interpreter, listening_at
from harness.support.forkserver.process import ForkServer
from harness.support.forkserver.server import serve
from harness.support.memory import lasting

#: What a worker of a run has imported when its first case begins; their own imports follow from these.
_NEEDED: Final = (
    "harness.run.plugin.fixtures",
    "harness.run.plugin.collection",
    "harness.run.plugin.cases",
    "harness.run.plugin.plan",
    "harness.run.plugin.progress",
    "allure_pytest.plugin",
    "harness.support.http_client.session",
)


@contextlib.contextmanager
def worker_fork_server(worlds: ForkServer | None = None) -> Iterator[WorkerForkServer | None]:
    """A fork server while this lasts; None where there can be none, which only makes a run slower.

    ``worlds`` is the fork server of the worlds, if this process has started one: its forks must not keep it alive.
    """
    with Scratch() as scratch:
        try:
            opened = None if threading.active_count() > 1 else WorkerForkServer(scratch.path / "server", worlds)
        except OSError:  # as where the way to the directory of temporary files is longer than a socket's path may be
            opened = None
        try:
            yield opened
        finally:
            if opened:
                opened.close()


class WorkerForkServer:
    """The process that forks a run's workers, and the pytest plugin that has them started there."""

    def __init__(self, path: Path, worlds: ForkServer | None = None) -> None:
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
        """Have all workers on this machine forked here, also those that replace dead ones."""
        command = shlex.join(interpreter(self._path))
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = command
