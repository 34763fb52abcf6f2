"""The fork server's own process: it forks for each request, returns the exit status, and kills the
fork whose client is gone.

``python -m harness.support.forkserver.server DESCRIPTOR MODULE …`` listens at an open socket, and
lives until its standard input ends.
"""

from __future__ import annotations

import atexit
import fcntl
import io
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
import types
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

from harness.support.forkserver.client import HEAD, MOST_FILES, STATUS
from harness.support.memory import lasting

_PATIENCE_S: Final = 10.0


def serve(listening: socket.socket, lifeline: int, modules: Iterable[str]) -> NoReturn:
    """Import the ``modules`` that the forks need, then serve requests for them at ``listening``
    until the other end of ``lifeline`` is closed; never returns. No thread may run.
    """
    try:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # Ctrl-C reaches the parent, which ends this process in order
        with lasting():  # and no collection writes to pages that are shared
            for module in modules:
                import_module(module)
        _Server(listening, lifeline).serve()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


class _Server:
    def __init__(self, listening: socket.socket, lifeline: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(lifeline, selectors.EVENT_READ)
        self._listening, self._lifeline = listening, lifeline
        self._forks: dict[
            socket.socket, tuple[int, int]
        ] = {}  #: process and its descriptor, by connection

    def serve(self) -> None:
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            for connection, (pid, descriptor) in list(self._forks.items()):
                if descriptor in ready:
                    self._ended(connection, pid, descriptor)
                elif connection in ready:  # a client sends nothing more, so it is gone
                    os.kill(pid, signal.SIGKILL)
                    self._selector.unregister(connection)
            if self._listening in ready:
                self._fork()
            if self._lifeline in ready:
                return

    def _ended(self, connection: socket.socket, pid: int, descriptor: int) -> None:
        _, status = os.waitpid(pid, 0)
        del self._forks[connection]
        self._selector.unregister(descriptor)
        os.close(descriptor)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        with connection:
            try:
                connection.sendall(STATUS.pack(status))
            except OSError:
                return  # the client is gone

    def _fork(self) -> None:
        """Fork what is asked for. Where that fails, only this connection is closed; the other forks
        go on.
        """
        connection, _ = self._listening.accept()
        connection.settimeout(_PATIENCE_S)
        try:
            request, files = _received(connection)
        except (OSError, ValueError):
            connection.close()
            return
        try:
            pid = os.fork()
        except OSError:  # no process is left
            pid = -1
        if not pid:
            self._selector.close()
            for ours in (self._listening, connection, *self._forks):
                ours.close()
            for descriptor in (
                self._lifeline,
                *(descriptor for _, descriptor in self._forks.values()),
            ):
                os.close(descriptor)
            _as_an_interpreter(request, files)
        for file in files:
            os.close(file)
        if pid < 0:
            connection.close()
            return
        descriptor = os.pidfd_open(pid)
        self._forks[connection] = (pid, descriptor)
        self._selector.register(connection, selectors.EVENT_READ)
        self._selector.register(descriptor, selectors.EVENT_READ)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The request and its open files. Raises OSError or ValueError when it is none."""
    head, files, _, _ = socket.recv_fds(connection, HEAD.size, MOST_FILES)
    length, count = HEAD.unpack(head.ljust(HEAD.size, b"\0"))
    text = bytearray()
    while len(text) < length and (chunk := connection.recv(length - len(text))):
        text += chunk
    if len(files) != count:
        for file in files:
            os.close(file)
        raise ValueError(f"{len(files)} of {count} open files came")
    try:
        request: dict[str, Any] = marshal.loads(text)
    except (EOFError, TypeError) as error:
        raise ValueError(f"no request: {error}") from error
    return request, files


def _as_an_interpreter(request: dict[str, Any], files: Sequence[int]) -> NoReturn:
    """Do what an interpreter with these arguments would do; never returns."""
    code = 1
    try:
        if not request["no_ctrl_c"]:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if request["leads"]:
            os.setsid()
        _place(files, request["files"])
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = _unbuffered(1, "strict")
        sys.stderr = _unbuffered(2, "backslashreplace")
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["directory"])
        os.umask(request["umask"])
        _run(request["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _place(files: Sequence[int], places: Sequence[int]) -> None:
    """Move each file to the descriptor it had: first above all of them, so that none overwrites
    another.
    """
    above = max(places, default=0) + 1
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, above) for file in files]
    for file in files:
        os.close(file)
    for file, place in zip(moved, places, strict=True):
        os.dup2(file, place)
        os.close(file)


def _unbuffered(descriptor: int, errors: str) -> io.TextIOWrapper:
    """As ``python -u`` has it."""
    return io.TextIOWrapper(
        open(descriptor, "wb", 0, closefd=False), errors=errors, write_through=True
    )


def _run(arguments: Sequence[str]) -> None:
    """``[-u] -c CODE`` or ``-m MODULE …``."""
    options = [argument for argument in arguments if argument != "-u"]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if options[0] == "-m":
        sys.argv = list(options[1:])
        runpy.run_module(options[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *options[2:]]
        exec(options[1], vars(main))


def _leave(code: int) -> NoReturn:
    """End as an interpreter does, without unwinding the fork server's own stack."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _at = socket.socket(fileno=int(sys.argv[1]))
    serve(_at, sys.stdin.fileno(), sys.argv[2:])
