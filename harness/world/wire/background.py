"""Background tasks of a node, and the handlers of its application: what they raise is logged and goes no further."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from harness.world.wire.incoming import IncomingCall
from harness.world.wire.indialog import InDialogRequest
from harness.world.wire.request import IncomingRequest

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Background:
    """The background tasks of the node called ``name``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        """Run something until the node stops."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}: {what}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("%s failed", task.get_name(), exc_info=task.exception())

    async def stop(self) -> None:
        """Cancel all tasks."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def guard(self, callback: Callable[[T], None], value: T) -> None:
        """Call a handler."""
        try:
            callback(value)
        except Exception:
            _log.exception("%s: a handler failed", self._name)

    def serve(self, work: Awaitable[None], request: IncomingRequest | InDialogRequest | IncomingCall) -> None:
        """Run a handler; if it raises before it answered, the answer is 500."""

        async def run() -> None:
            try:
                await work
            except Exception:
                _log.exception("%s: the handler of %s failed", self._name, request.request.method)
                if isinstance(request, IncomingCall):
                    request.reject(500)
                elif not request.is_answered:
                    request.respond(500)

        self.spawn(run(), f"handler of {request.request.method}")
