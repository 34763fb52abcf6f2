"""The phone processes of a run are forked from one that has loaded numpy and pjsua2, which takes a third of a second each time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from harness import nursery
from harness.environment import of_a_child

_END_S: Final = 10.0


class PhoneNursery:
    """That process, up to :meth:`close`. It knows no secret: it was not forked itself, and has a child's environment."""

    def __init__(self) -> None:
        """Start it. Raises OSError where there can be none; then phones are started each for itself."""
        self._scratch = tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True)
        self.path = Path(self._scratch.name) / "phones"  #: for :class:`harness.phone.pool.PhonePool`
        try:
            with nursery.listening_at(self.path) as listening:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "harness.nursery", str(listening.fileno()), "harness.phone.child.service"],
                    pass_fds=[listening.fileno()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    env=of_a_child() | {"OPENBLAS_NUM_THREADS": "1"},  # a thread would not be there after the fork
                    start_new_session=True,  # Ctrl-C at the terminal is for the runner
                )
        except OSError:
            self._scratch.cleanup()
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def close(self) -> None:
        """End it, once the phones are closed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._scratch.cleanup()
