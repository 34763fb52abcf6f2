"""The world's own audit: its tasks, its errors, and the calls whose other end has died. Only tests of the harness read it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from harness.world.media.leg import LegMedia
from harness.world.tasks import Tasks
from harness.world.wire.invite import IncomingCall, OutgoingCall

_log = logging.getLogger(__name__)


class Audit(Tasks):
    """The errors of one world, and its tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        self.on_error: Callable[[], None] = lambda: None

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
