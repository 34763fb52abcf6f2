"""The world's own audit: its tasks and its errors. Only tests of the harness read it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class Audit:
    """The errors of one world, and its tasks, of which asyncio keeps weak references alone."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.on_error: Callable[[], None] = lambda: None
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run ``work`` as a task; what it raises becomes an error of the audit."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def error(self, where: str, exception: BaseException) -> None:
        """Log an exception, with the call it happened in."""
        self.add(f"{where}: {type(exception).__name__}: {exception}")
        _log.error("%s", where, exc_info=exception)

    def note(self, text: str, *, is_error: bool = False) -> None:
        """Log a text."""
        _log.info("%s", text)
        if is_error:
            self.add(text)

    def add(self, error: str) -> None:
        """Add an error that has been logged."""
        self.errors.append(error)
        self.on_error()

    @property
    def tasks(self) -> list[str]:
        """The names of what is still running."""
        return sorted(task.get_name() for task in self._tasks)

    def cancel_all(self) -> None:
        """Stop everything that was spawned."""
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exception := task.exception()) is not None:
            self.error(task.get_name(), exception)
