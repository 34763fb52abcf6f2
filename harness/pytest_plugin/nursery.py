"""Workers are forked from a process that has imported what they need: six interpreters that each import it for themselves
were most of what a short run took.

``harness verify`` opens a :class:`Nursery` before pytest begins, while the process has no thread but one; pytest run by
somebody else starts its workers as ever. The way from xdist to a worker::

    runner ── execnet's Popen ──> newborn.py ── streams, environment ──> nursery ── fork ──> worker
                                      └───────── exit status ───────────────┘

A worker whose ``newborn.py`` dies is killed, and the nursery ends when the runner does, however it ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import json
import os
import selectors
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from harness.pytest_plugin.newborn import LENGTH

_NEWBORN: Final = Path(__file__).with_name("newborn.py")
#: What a worker of a run has imported when its first case begins, but for what follows from these.
_NEEDED: Final = (
    "harness.pytest_plugin.fixtures",
    "harness.pytest_plugin.cases",
    "harness.pytest_plugin.progress",
    "allure_pytest.plugin",
)
_STREAMS: Final = 3
_PATIENCE_S: Final = 10.0


@contextlib.contextmanager
def nursery() -> Iterator[Nursery | None]:
    """A nursery while this lasts; None where there can be none, which makes a run slower and nothing else."""
    scratch = Path(
        tempfile.mkdtemp(prefix="harness-")
    )  # its owner's alone; a TemporaryDirectory would end with any worker
    try:
        opened = None if threading.active_count() > 1 else Nursery(scratch / "nursery")
    except OSError:  # as where the way to the directory of temporary files is longer than a socket's path may be
        opened = None
    try:
        yield opened
    finally:
        if opened:
            opened.close()
        shutil.rmtree(scratch, ignore_errors=True)


class Nursery:
    """A pytest plugin, and the process that forks its run's workers."""

    def __init__(self, path: Path) -> None:
        """Import what workers need, and fork; listen at ``path``. Raises OSError. No other thread may run."""
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a thread would not be there after the fork
        for module in _NEEDED:
            import_module(module)
        self._path = path
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(path))
            listening.listen()
            alive, self._lifeline = os.pipe()
            gc.freeze()  # what is there stays: no collection writes to pages that are shared
            self._pid = os.fork()
            if not self._pid:
                os.close(self._lifeline)
                _as_the_nursery(listening, alive)
        os.close(alive)

    def close(self) -> None:
        """End it, once its workers have ended."""
        os.close(self._lifeline)
        os.waitpid(self._pid, 0)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Workers on this machine come from here, those that replace dead ones as well."""
        command = shlex.join([sys.executable, "-I", "-S", str(_NEWBORN), str(self._path)])
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = command


def _as_the_nursery(listening: socket.socket, alive: int) -> NoReturn:
    """Serve until the runner has gone and the workers with it; never returns."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which ends the workers in order
        _Server(listening, alive).serve()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


class _Server:
    """In the nursery's own process: a worker for each connection, its status when it ends, its end when the connection does."""

    def __init__(self, listening: socket.socket, alive: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(alive, selectors.EVENT_READ)
        self._listening, self._alive = listening, alive
        self._workers: dict[socket.socket, tuple[int, int]] = {}  #: process and its descriptor, by connection

    def serve(self) -> None:
        """Until the runner has closed its lifeline."""
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            for connection, (pid, descriptor) in list(self._workers.items()):
                if descriptor in ready:
                    self._ended(connection, pid, descriptor)
                elif connection in ready:  # it sends nothing: it is gone
                    os.kill(pid, signal.SIGKILL)
                    self._selector.unregister(connection)
            if self._listening in ready:
                self._fork()
            if self._alive in ready:
                return

    def _ended(self, connection: socket.socket, pid: int, descriptor: int) -> None:
        _, status = os.waitpid(pid, 0)
        del self._workers[connection]
        self._selector.unregister(descriptor)
        os.close(descriptor)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        with connection:
            try:
                connection.sendall(LENGTH.pack(status))
            except OSError:
                return  # nobody waits for it any more

    def _fork(self) -> None:
        connection, _ = self._listening.accept()
        connection.settimeout(_PATIENCE_S)
        try:
            request, streams = _received(connection)
        except (OSError, ValueError):
            connection.close()
            return
        pid = os.fork()
        if not pid:
            self._selector.close()
            for ours in (self._listening, connection, *self._workers):
                ours.close()
            for descriptor in (self._alive, *(descriptor for _, descriptor in self._workers.values())):
                os.close(descriptor)
            _as_a_worker(request, streams)
        for stream in streams:
            os.close(stream)
        descriptor = os.pidfd_open(pid)
        self._workers[connection] = (pid, descriptor)
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(descriptor, selectors.EVENT_READ)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The request and the standard streams. Raises OSError or ValueError when there are none."""
    head, streams, _, _ = socket.recv_fds(connection, LENGTH.size, _STREAMS)
    (length,) = LENGTH.unpack(head.ljust(LENGTH.size, b"\0"))
    text = bytearray()
    while len(text) < length and (chunk := connection.recv(length - len(text))):
        text += chunk
    return json.loads(text), streams


def _as_a_worker(request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Do what an interpreter started with these arguments would do; never returns."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = _unbuffered(1, "strict")
        sys.stderr = _unbuffered(2, "backslashreplace")
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["directory"])
        os.umask(request["umask"])
        sys.argv = ["-c"]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(request["arguments"][-1], vars(main))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _unbuffered(descriptor: int, errors: str) -> io.TextIOWrapper:
    """As ``python -u`` has it, which execnet asks for."""
    return io.TextIOWrapper(open(descriptor, "wb", 0, closefd=False), errors=errors, write_through=True)


def _leave(code: int) -> NoReturn:
    """As an interpreter ends, but for what it was forked in the midst of."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
