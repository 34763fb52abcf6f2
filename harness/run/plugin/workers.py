"""The workers of a run: forked from a process that has imported what they need, since six
interpreters that each import it took most of the time of a short run; and given their cases as they
come.

``harness verify`` starts a :class:`WorkerForkServer` before pytest begins, while the process has
only one thread. pytest itself starts its workers as always.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.config import default_plugins
from xdist.scheduler import LoadScheduling

from harness import integrations
from harness.support.files.own_directories import Scratch
from harness.support.forkserver import ForkServer, interpreter, listening_at
from harness.support.forkserver.server import serve
from harness.support.memory import lasting

#: What this process and its workers need; their own imports follow from these.
_SHARED: Final = (
    *(f"_pytest.{plugin}" for plugin in default_plugins),
    "harness.run.plugin.collection",
    "harness.run.plugin.cases",
    "harness.run.plugin.plan",
    "harness.run.plugin.progress",
    "allure_pytest.plugin",
)
#: What a worker has imported besides when its first case begins.
_OF_WORKERS: Final = (
    "harness.run.plugin.fixtures",
    "harness.scenario.registration",
    "harness.support.http_client.session",
    "numpy.ma",  # for numpy.median
)
_STARTED_BY_EACH: Final = 2


@contextlib.contextmanager
def worker_fork_server(worlds: ForkServer | None = None) -> Iterator[WorkerForkServer | None]:
    """A fork server while this lasts; None where there can be none, which only makes a run slower.

    ``worlds`` is the fork server of the worlds, if this process has started one: its forks must not
    keep it alive.
    """
    with Scratch() as scratch, contextlib.ExitStack() as stack:
        opened = None
        # as where the way to the directory of temporary files is longer than a socket's path may be
        with contextlib.suppress(OSError):
            if threading.active_count() == 1:
                opened = WorkerForkServer(scratch.path / "server", worlds)
                stack.callback(opened.close)
        yield opened


class WorkerForkServer:
    """The process that forks a run's workers, and the pytest plugin that has them started there."""

    def __init__(self, path: Path, worlds: ForkServer | None = None) -> None:
        """Import what workers need, and fork; what they alone need is imported in the fork, beside
        what this process does next. Listen at ``path``. Raises OSError. No other thread may run.
        """
        with lasting():  # no garbage collection writes to shared pages
            for module in _SHARED:
                import_module(module)
            list(integrations.loadable())  # collection needs the rows of every integration
        self.path = path  #: where it listens: for :func:`interpreter`
        with listening_at(path) as listening:
            lifeline, self._lifeline = os.pipe()
            self._pid = os.fork()
            if not self._pid:
                os.close(self._lifeline)
                if worlds is not None:
                    worlds.let_go()
                platform.platform()  # asks `uname -p`; xdist says it of each worker
                serve(listening, lifeline, _OF_WORKERS)
        os.close(lifeline)

    def close(self) -> None:
        """End it, once its workers have ended."""
        os.close(self._lifeline)
        os.waitpid(self._pid, 0)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Have all workers on this machine forked here, also those that replace dead ones."""
        command = shlex.join(interpreter(self.path))
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = command


class AsTheyCome(LoadScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's scheduler, except that the first worker begins before the others are started. Each
    that has collected starts some more: all at once, they took the processors from its first call.
    """

    collection: list[str] | None
    pending: list[int]

    def __init__(self, config: pytest.Config, log: Any, others: Sequence[Any]) -> None:
        """``others`` are the specifications of the workers that have not been started."""
        super().__init__(config, log)
        self._others = others
        self._come = 0  #: workers that have collected

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take note of what a worker has collected, and let it begin."""
        super().add_node_collection(node, collection)
        if self.collection is None:
            self.collection = list(collection)
            self.pending[:] = range(len(collection))
        if list(collection) == self.collection:
            self._deal(node, len(collection))
        else:
            self._check_nodes_have_same_collection()  # reports it as a failure of the run
            node.shutdown()
        some, self._others = self._others[:_STARTED_BY_EACH], self._others[_STARTED_BY_EACH:]
        start(self.config, some)

    def schedule(self) -> None:
        """All have collected: a worker with fewer than two cases gets more, or is told that there
        are none.
        """
        for node in self.nodes:
            if not self.pending or len(self.node2pending[node]) < 2:
                self.check_schedule(node)

    def _deal(self, node: Any, cases: int) -> None:
        """Give a worker its first cases. Few cases are shared out evenly, over workers that have
        not come yet, too.
        """
        workers, turn = self.numnodes, self._come
        self._come += 1
        if turn >= workers:
            return  # it replaces a dead worker, and gets what is left
        if cases < 2 * workers:
            mine = [case for case in range(turn, cases, workers) if case in self.pending]
        else:
            count = min(cases // workers // 4, self.maxschedchunk)
            mine = self.pending[: max(count, 2)]
        for case in mine:
            self.pending.remove(case)
        self.node2pending[node].extend(mine)
        node.send_runtest_some(mine)
        if cases < 2 * workers:
            # there are no more cases, and a worker holds its last case back until its shutdown
            node.shutdown()


def start(config: pytest.Config, specs: Sequence[Any]) -> None:
    """Start workers, as xdist starts one in the place of another."""
    session: Any = config.pluginmanager.get_plugin("dsession")
    for spec in specs:
        with _ended_by_ctrl_c():
            session._active_nodes.add(session.nodemanager.setup_node(spec, session.queue.put))


@contextlib.contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Processes that are started here end if Ctrl-C comes meanwhile: a worker that is half started
    would write a traceback.
    """
    before = _children()
    try:
        yield
    except KeyboardInterrupt:
        for pid in _children() - before:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        raise


def _children() -> set[int]:
    """The processes that this one has started (proc_pid_task(5))."""
    pids: set[int] = set()
    for children in Path("/proc/self/task").glob("*/children"):
        pids.update(map(int, children.read_text().split()))
    return pids
