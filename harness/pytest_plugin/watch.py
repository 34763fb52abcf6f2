"""Ends what a process waits for when a world, or the runner, is gone.

A thread for each waits for a lock that the other side holds as long as it lives, so it costs nothing meanwhile and wakes
at once. It interrupts the main thread by a signal, whose handler raises there, whatever the case is waiting for.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from harness.errors import WorldLostError
from harness.limits import released
from harness.pytest_plugin.run import Run
from harness.pytest_plugin.worlds import alive_lock, last_words


class Watch:
    """Watches for one process; made in its main thread."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting_on: str | None = None
        self._main = threading.get_ident()
        signal.signal(signal.SIGUSR1, self._interrupt)
        for deployment in run.deployments:
            if deployment.kind == "simulated":
                self._when_released(alive_lock(run.control, deployment.name), self._world_died(deployment.name))

    def runner(self, lock: Path) -> None:
        """Watch the runner too, in a worker: when it is gone the worker ends as on Ctrl-C, in order and once."""

        def once(signum: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would cut the hanging-up short
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, once)
        self._when_released(lock, lambda: signal.pthread_kill(self._main, signal.SIGINT))

    @contextmanager
    def waiting_on(self, deployment: str) -> Iterator[None]:
        """While this lasts, the death of that deployment's world raises :class:`WorldLostError` in the main thread."""
        self._waiting_on = deployment
        try:
            if message := self._run.lost.get(deployment):
                raise WorldLostError(message)
            yield
        finally:
            self._waiting_on = None

    def _world_died(self, name: str) -> Callable[[], None]:
        def died() -> None:
            words = last_words(self._run.control, name)
            self._run.lost[name] = f"the simulated world of {name} died; it last said:\n{words}"
            signal.pthread_kill(self._main, signal.SIGUSR1)

        return died

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._waiting_on is not None and (message := self._run.lost.get(self._waiting_on)):
            self._waiting_on = None
            raise WorldLostError(message)

    @staticmethod
    def _when_released(lock: Path, then: Callable[[], None]) -> None:
        def wait() -> None:
            released(lock)
            then()

        threading.Thread(target=wait, name=f"watch {lock.name}", daemon=True).start()
