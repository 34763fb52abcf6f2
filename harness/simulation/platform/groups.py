"""Ring groups: all of a group's agents ring, the first to answer has the call, the others are let go (CANCEL)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from harness.simulation.b2bua import BackToBack, Leg, RefusedError, Target

RING_SECONDS: Final = 30.0  #: a group that nobody answers for so long is given up


async def ring_all(
    call: BackToBack, targets: Sequence[Target], toward: Leg, on_ringing: Callable[[int, str], None] | None = None
) -> Leg:
    """The leg of the first agent to answer, not joined yet. Raises `RefusedError`: 480 when there is nobody."""
    rings = [asyncio.ensure_future(call.ring(target, toward, RING_SECONDS, on_ringing)) for target in targets]
    refusals = [RefusedError(480, "Nobody is logged in")] if not targets else []
    winner: Leg | None = None
    try:
        for finished in asyncio.as_completed(rings):
            try:
                winner = await finished
            except RefusedError as error:
                refusals.append(error)
            else:
                return winner
        raise min(refusals, key=_preference)
    finally:
        for ring in rings:
            if ring.cancel() or ring.cancelled() or ring.exception() is not None:
                continue
            if ring.result() is not winner:  # answered in the same moment
                ring.result().call.hangup()


def _preference(refusal: RefusedError) -> tuple[bool, int]:
    """RFC 3261 section 16.7: of several refusals a 6xx counts, else one of the lowest class."""
    return refusal.status < 600, refusal.status // 100
