"""Ends calls whose other end has died: it does not answer OPTIONS within the dialog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from harness.world.audit import Audit
from harness.world.media.leg import LegMedia
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.outgoing import OutgoingCall

Call = IncomingCall | OutgoingCall
Watched = tuple[Call, LegMedia | None]
"""An answered leg, with its media where that is anchored here."""

SILENT_SECONDS: Final = 4.0  #: without RTP for so long, a leg is asked whether it is still there
AUDIT_SECONDS: Final = 10.0  #: and a leg without media here this often
ANSWER_SECONDS: Final = 4.0  #: and has so long to answer
_ROUND_SECONDS = 1.0


async def end_dead_calls(legs: Callable[[], Iterable[Watched]], audit: Audit) -> None:
    """Watch the answered legs that ``legs`` gives, for ever. Silence alone ends no call, since it may be a hold."""
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
        if response.received is None:  # the network's own answer: nobody is there
            call.hangup()
