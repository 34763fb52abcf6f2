"""Fork servers: a process that has imported what others need forks them, so that they do not import
it themselves.

``server`` forks what is asked for, in the fork server's process. ``client`` is started instead of
an interpreter: it asks for a fork, and ends as the fork ends. :class:`ForkServer` starts a fork
server that has nothing of its starter's memory.

How a process is started::

    starter ── Popen ──> client.py ── open files, environment ──> server ── fork ──> process
                            └────────────── exit status ────────────┘

A runner forks itself for its workers (:mod:`harness.run.plugin.workers`); softphones and simulated
worlds come from fork servers of their own (``python -m harness.support.forkserver.server DESCRIPTOR
MODULE …``), since they know no secret.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.support.files.own_directories import Scratch

#: Python that imports nothing from the current directory: in a user's own project there may be a
#: file with a name of its library's.
PYTHON: Final = (sys.executable, "-P")
_END_S: Final = 10.0
#: What programs need to start, find their files and speak; passwords and tokens have names of the
#: customer's own choosing.
_NEEDED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|XDG_RUNTIME_DIR|LD_LIBRARY_PATH|VIRTUAL_ENV|PYTHON\w*"
    r"|COVERAGE_PROCESS_\w+|SSL_CERT_FILE|SSL_CERT_DIR|OPENBLAS_NUM_THREADS|SYSTEMROOT"
)


def interpreter(fork_server: Path | None) -> list[str]:
    """The command that takes Python's arguments: of the fork server at that path, or the
    interpreter itself.
    """
    if fork_server is None:
        return [*PYTHON]
    return [
        sys.executable,
        "-I",
        "-S",
        str(Path(__file__).with_name("client.py")),
        str(fork_server),
    ]


def listening_at(path: Path) -> socket.socket:
    """The socket of a fork server. Raises OSError, as where the path is longer than a socket's may
    be.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        listening.listen(64)
    except OSError:
        listening.close()
        raise
    return listening


def of_a_child(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """``environment`` (by default this process's own) without what a child has no need of."""
    found = os.environ if environment is None else environment
    return {name: value for name, value in found.items() if _NEEDED.fullmatch(name)}


def allow_open_files() -> None:
    """Raise the soft limit on open files to the hard one, also for child processes: each call needs
    several sockets.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ForkServer:
    """A fork server that is not its starter's fork, up to :meth:`close`: it has a child's
    environment, and knows no secret.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        """Start it; it imports ``module`` for what it forks. Raises OSError where there can be
        none.
        """
        self._scratch = Scratch()
        self.path = self._scratch.path / "server"  #: where it listens: for :func:`interpreter`
        try:
            with listening_at(self.path) as listening:
                self._process = subprocess.Popen(
                    [
                        *PYTHON,
                        "-m",
                        "harness.support.forkserver.server",
                        str(listening.fileno()),
                        module,
                    ],
                    pass_fds=[listening.fileno()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    env={
                        **environment,
                        "OPENBLAS_NUM_THREADS": "1",
                    },  # a thread would not be there after the fork
                    start_new_session=True,  # Ctrl-C at the terminal is for the runner
                )
        except OSError:
            self._scratch.close()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def let_go(self) -> None:
        """In a fork of its starter: let the fork server end without waiting for that fork."""
        assert self._process.stdin is not None
        os.close(self._process.stdin.fileno())

    def close(self) -> None:
        """End it, once what it forked has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._scratch.close()
