"""Ring groups: agents ring together or in turn; the first to answer gets the call, the others are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from harness.world.b2bua import BackToBack, LegRefusedError, LegTarget, WireLeg
from harness.world.media import sound
from harness.world.media.leg import LegMedia
from harness.world.media.sound import Ticker
from harness.world.platform.ivr import Menu
from harness.world.settings import GroupSettings

OnRinging = Callable[[int, str], None]
Refusal = tuple[
    int, str | None
]  # status and reason, not the error: its traceback would keep frames, and they the error
_LOOKS_EVERY = 0.5  # seconds between two tries of a queue


async def ring_group(
    call: BackToBack,
    group: GroupSettings,
    logged_in: Callable[[], Sequence[LegTarget]],
    toward: WireLeg,
    ticker: Ticker,
    on_ringing: OnRinging | None = None,
) -> WireLeg:
    """The leg of the agent who answers, not connected yet. Raises `LegRefusedError`, with 480 when no agent is logged in."""
    loop = asyncio.get_running_loop()
    patience = loop.time() + group.queue_s
    while True:
        try:
            return await _ring_in_turns(call, group, logged_in(), toward, ticker, on_ringing)
        except LegRefusedError:
            if loop.time() >= patience:
                raise
        await asyncio.sleep(_LOOKS_EVERY)


async def _ring_in_turns(
    call: BackToBack,
    group: GroupSettings,
    targets: Sequence[LegTarget],
    toward: WireLeg,
    ticker: Ticker,
    on_ringing: OnRinging | None,
) -> WireLeg:
    refusals: list[Refusal] = []
    for batch in group.batches(len(targets)):
        if refusals:
            await asyncio.sleep(group.pause_s)
        ringing = [_ring(call, targets[at], toward, group.ring_s, ticker, on_ringing) for at in batch]
        winner = await _first([asyncio.ensure_future(ring) for ring in ringing], refusals)
        if winner is not None:
            return winner
    raise LegRefusedError(*min(refusals, key=_preference, default=(480, "Nobody is logged in")))


async def _ring(
    call: BackToBack, target: LegTarget, toward: WireLeg, seconds: float, ticker: Ticker, on_ringing: OnRinging | None
) -> WireLeg:
    leg = await call.ring(target, toward, seconds, on_ringing)
    if target.accept is None:
        return leg
    digit, within = target.accept
    try:
        assert isinstance(leg.media, LegMedia)
        await Menu(leg.media, ticker, sound.accept).wait_for(digit, within)
    except BaseException:
        leg.call.hangup()
        raise
    return leg


async def _first(rings: Sequence[asyncio.Future[WireLeg]], refusals: list[Refusal]) -> WireLeg | None:
    """The first leg that is answered; the others are cancelled."""
    winner: WireLeg | None = None
    waiting: set[asyncio.Future[WireLeg]] = set(rings)
    try:
        while waiting and winner is None:
            finished, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for ring in (ring for ring in rings if ring in finished):
                # Not raised here: a raised error would keep this frame, the frame the ring, and the ring the error.
                match ring.exception():
                    case None:
                        winner = winner or ring.result()
                    case LegRefusedError() as error:
                        refusals.append((error.status, error.reason))
                    case error:
                        raise error
        return winner
    finally:
        for ring in rings:
            if ring.cancel() or ring.cancelled() or ring.exception() is not None:
                continue
            if ring.result() is not winner:  # answered at the same moment
                ring.result().call.hangup()


def _preference(refusal: Refusal) -> tuple[bool, int]:
    """RFC 3261 section 16.7: of several refusals a 6xx counts, else one of the lowest class."""
    status, _ = refusal
    return status < 600, status // 100
