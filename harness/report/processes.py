"""The same work for each of many cases, on all cores.

The processes are forked where the workers of a run are: one that imports what reports need takes
0.4 s of CPU for it. Where there is no such fork server, they are interpreters of their own. This
process does not fork itself, since it has threads.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from harness.support.forkserver import interpreter
from harness.support.memory import settle

Item = TypeVar("Item")
Made = TypeVar("Made")

#: Fewer cases are done sooner than processes are started.
WORTH = 300
_AT_ONCE = 10


def each(work: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
    """What ``work`` makes of each item, in their order. ``work`` is a function of a module, since
    other processes look it up.
    """
    return in_batches(partial(_each, work), items)


def _each(work: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    return list(map(work, items))


def in_batches(
    work: Callable[[Sequence[Item]], list[Made]], items: Sequence[Item]
) -> Iterator[Made]:
    """The same where ``work`` makes a list of some items at a time, for what several share."""
    split = [items[at : at + _AT_ONCE] for at in range(0, len(items), _AT_ONCE)]
    done = 0
    if len(items) >= WORTH:
        try:
            for made in _pool().map(work, split):
                done += 1
                yield from made
        except BrokenExecutor:  # a process was killed, as for want of memory: the rest is made here
            _running.pop().close()
    for some in split[done:]:
        yield from work(some)


def make_ready(cases: int, fork_server: Path | None) -> None:
    """Start the processes in which the reports of so many cases will be made, if that is worth it:
    what they import, they import while a run's last cases hardly compute.

    ``fork_server``: where they are forked, if there is one.
    """
    if cases >= WORTH:
        _pool(fork_server)


def serve(descriptor: int) -> None:
    """In such a process: make what is asked for at this socket, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that it works for
    importlib.import_module("harness.report.html").compile_templates()
    settle()
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, ConnectionError):
        sys.path[:] = connection.recv()  # by which the work is looked up
        while True:
            work, item = connection.recv()
            answer: tuple[Any, Exception | None]
            try:
                answer = work(item), None
            except Exception as error:
                answer = None, error
            connection.send(answer)


class _Pool:
    """Processes that each make one item at a time, and a thread for each that hands it on.

    The processes end when this process does, however it ends: the kernel closes their sockets.
    """

    def __init__(self, fork_server: Path | None) -> None:
        count = os.cpu_count() or 1
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._processes = [self._started(fork_server) for _ in range(count)]
        self._threads = ThreadPoolExecutor(count)
        atexit.register(self.close)

    def _started(self, fork_server: Path | None) -> subprocess.Popen[bytes]:
        connection, others = multiprocessing.Pipe()
        with others:
            code = f"from harness.report.processes import serve; serve({others.fileno()})"
            command = [*interpreter(fork_server), "-c", code]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[others.fileno()]
            )
        connection.send(sys.path)
        self._idle.put(connection)
        return process

    def map(self, work: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
        """What ``work`` makes of each item, in their order. Raises what ``work`` raises, and
        BrokenExecutor where a process has died.
        """
        return self._threads.map(partial(self._made, work), items)

    def _made(self, work: Callable[[Item], Made], item: Item) -> Made:
        connection = self._idle.get()
        try:
            connection.send((work, item))
            made: Made
            made, error = connection.recv()
        except (EOFError, OSError) as gone:
            raise BrokenExecutor("a process that makes reports has died") from gone
        finally:
            self._idle.put(connection)
        if error is not None:
            raise error
        return made

    def close(self) -> None:
        """End the processes, once they have made what they were asked for."""
        atexit.unregister(self.close)
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()
        for process in self._processes:
            process.wait()


#: They last as long as this process: a run is read and its pages are made by the same.
_running: list[_Pool] = []


def _pool(fork_server: Path | None = None) -> _Pool:
    """The processes, started where there are none."""
    if not _running:
        _running.append(_Pool(fork_server))
    return _running[0]
