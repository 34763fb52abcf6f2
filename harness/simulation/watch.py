"""Ends calls whose other end has died: it sends no RTP, and does not answer when it is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from harness.simulation.books import Books
from harness.simulation.media.leg import LegMedia
from harness.simulation.wire.incoming import IncomingCall
from harness.simulation.wire.outgoing import OutgoingCall

Watched = tuple[IncomingCall | OutgoingCall, LegMedia]

SILENT_SECONDS: Final = 4.0  #: without RTP for so long, a leg is asked whether it is still there
ANSWER_SECONDS: Final = 4.0  #: and has so long to answer
_ASK_AGAIN_SECONDS = 10.0
_ROUND_SECONDS = 1.0


async def look_after(legs: Callable[[], Iterable[Watched]], books: Books) -> None:
    """Watch the answered legs that ``legs`` gives, for ever. Silence alone ends nothing: it may be meant (hold)."""
    asked: dict[IncomingCall | OutgoingCall, float] = {}
    while True:
        await asyncio.sleep(_ROUND_SECONDS)
        now = time.monotonic()
        silent = [call for call, media in legs() if media.silent_for() > SILENT_SECONDS]
        asked = {call: at for call, at in asked.items() if call in silent}
        for call in silent:
            if now - asked.get(call, float("-inf")) >= _ASK_AGAIN_SECONDS:
                asked[call] = now
                books.spawn(_ask(call), f"asks after {call.call_id}")


async def _ask(call: IncomingCall | OutgoingCall) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await call.send("OPTIONS")  # a 481 ends the call
    except TimeoutError:
        call.hangup()
