"""A fork server that is not its starter's fork: it has a child's environment, and knows no secret."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Final

from harness.support.files.own_directories import Scratch
from harness.support.forkserver import PYTHON, listening_at

_END_S: Final = 10.0


class ForkServer:
    """The fork server's process, up to :meth:`close`."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        """Start it; it imports ``module`` for what it forks. Raises OSError where there can be none."""
        self._scratch = Scratch()
        self.path = (
            self._scratch.path / "server"
        )  #: where it listens: for :func:`harness.support.forkserver.interpreter`
        try:
            with listening_at(self.path) as listening:
                self._process = subprocess.Popen(
                    [*PYTHON, "-m", "harness.support.forkserver", str(listening.fileno()), module],
                    pass_fds=[listening.fileno()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    env={**environment, "OPENBLAS_NUM_THREADS": "1"},  # a thread would not be there after the fork
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
