"""Background tasks with an owner, because asyncio keeps only weak references to tasks; and the
audit of the world's errors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from harness.errors import is_of_the_machine

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Tasks:
    """Runs tasks until its owner stops. An exception in a task is logged as an error of the world."""

    def __init__(self, owner: str = "") -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run ``work`` as a task."""
        task = asyncio.get_running_loop().create_task(work, name=self._owner + name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Log a task's exception at once: asyncio would only when the task is collected."""
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("%s failed", task.get_name(), exc_info=error)

    async def cancel_all(self) -> None:
        """Cancel all tasks."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Audit(Tasks):
    """The errors of one world, and its tasks. Only tests of the harness read it."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        self.on_error: Callable[[], None] = lambda: None

    def add(self, error: str) -> None:
        """Add an error."""
        self.errors.append(error)
        self.on_error()


class AuditHandler(logging.Handler):
    """Adds errors that the world logs to the audit; of asyncio's errors, only a lack of resources,
    such as open files.
    """

    def __init__(self, audit: Audit) -> None:
        super().__init__(logging.ERROR)
        self._audit = audit

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        lacks_resources = isinstance(error, OSError) and is_of_the_machine(error)
        if record.name == "asyncio" and not lacks_resources:
            return
        why = "" if error is None else f": {type(error).__name__}: {error}"
        self._audit.add(f"{record.name}: {record.getMessage()}{why}")
