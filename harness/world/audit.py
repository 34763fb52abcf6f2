"""The world's own audit: its tasks, its errors, and the calls whose other end has died. Only tests of the harness read it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from harness.world.media.leg import LegMedia
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.outgoing import OutgoingCall

_log = logging.getLogger(__name__)


class Audit:
    """The errors of one world, and its tasks (asyncio itself keeps only weak references to tasks)."""

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
        return sorted(task.get_name() for task in self._tasks)

    def cancel_all(self) -> None:
        """Cancel all tasks."""
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exception := task.exception()) is not None:
            self.error(task.get_name(), exception)


Call = IncomingCall | OutgoingCall
Watched = tuple[Call, LegMedia | None]
"""An answered leg, with its media where that is anchored here."""

SILENT_SECONDS: Final = 4.0  #: after so long without RTP, a leg gets an OPTIONS
AUDIT_SECONDS: Final = 10.0  #: how often a leg without media here gets an OPTIONS
ANSWER_SECONDS: Final = 4.0  #: how long the leg has to answer
_ROUND_SECONDS = 1.0


async def end_dead_calls(legs: Callable[[], Iterable[Watched]], audit: Audit) -> None:
    """Watch answered legs until cancelled. Silence alone does not end a call: it may be on hold."""
    asked: dict[Call, float] = {}
    while True:
        await asyncio.sleep(_ROUND_SECONDS)
        now = time.monotonic()
        watched = list(legs())
        asked = {call: asked.get(call, now) if media is None else asked.get(call, 0.0) for call, media in watched}
        for call, media in watched:
            if now - asked[call] >= AUDIT_SECONDS and (media is None or media.silent_for() > SILENT_SECONDS):
                asked[call] = now
                audit.spawn(_ask(call), f"asks after {call.call_id}")


async def _ask(call: Call) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            response = await call.send("OPTIONS")
    except TimeoutError:
        call.hangup()
    else:
        if response.received is None:  # a local 408 or 503: the peer is gone
            call.hangup()
