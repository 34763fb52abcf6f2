"""Who answers for a platform: ring groups, menus that wait for a digit, and announcements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.sip.offer_answer import NoAgreementError
from harness.world.b2bua import BackToBack, LegRefusedError, LegTarget, WireLeg
from harness.world.media import sound
from harness.world.media.digits import listen_for_digits
from harness.world.media.leg import LegMedia
from harness.world.media.sound import TICK, Player, Ticker
from harness.world.settings import GroupSettings
from harness.world.wire.invite import IncomingCall

if TYPE_CHECKING:
    from harness.world.platform.base import Platform

#: The end of an event is sent three times (RFC 4733 section 2.5.1.4). The copies must not reach the
#: next party of the call.
_COPIES_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 20.0  #: without the right digit for so long, the menu gives up


async def wait_for_digit(
    wanted: Collection[str],
    digits: asyncio.Queue[str],
    media: LegMedia,
    ticker: Ticker,
    within: float = PATIENCE_SECONDS,
    plays: Callable[[str], sound.Frames] = sound.menu,
    prompts: Collection[str] = (),
) -> str:
    """Play to a leg until one of the ``wanted`` digits, or of the ``prompts``, comes; others are
    ignored. Raises `LegRefusedError` when none does.

    Digits come as telephone-events or as tones; ``digits`` may get others, which came by INFO.
    """
    expected = {*wanted, *prompts}
    player = Player(ticker, media, plays)
    stop_listening = listen_for_digits(
        media, lambda pressed: digits.put_nowait(pressed.digit), prompts
    )
    try:
        async with asyncio.timeout(within):
            digit = await digits.get()
            while digit not in expected:
                digit = await digits.get()
            await asyncio.sleep(_COPIES_SECONDS)
            return digit
    except TimeoutError:
        raise LegRefusedError(480, "No choice was made") from None
    finally:
        player.stop()
        stop_listening()


VOICEMAIL, CLOSED, SOMEBODY = "voicemail", "closed", "somebody"
_MESSAGE_SECONDS = 60.0  # a caller may speak for so long
#: What is played, and whether the call ends with it.
_SOUNDS: Final[dict[str, tuple[Callable[[str], sound.Frames], bool]]] = {
    VOICEMAIL: (sound.voicemail, False),
    CLOSED: (sound.closed, True),
    SOMEBODY: (sound.somebody, False),
}


async def announce(platform: Platform, call: IncomingCall) -> None:
    """Play the announcement that the URI's user names: `VOICEMAIL`, `CLOSED`, `SOMEBODY` (a person
    who is no agent).
    """
    if call.source[0] != platform.ua.listening[0].address:
        call.reject(403, "Address not allowed")
        return
    assert call.offer is not None, "the platform always offers"
    frames, ends = _SOUNDS[call.request.uri.user or ""]
    media = platform.anchored()
    player = Player(platform.ticker, media, frames)
    try:
        try:
            call.answer(media.answer(call.offer))
        except NoAgreementError as error:  # a caller with SRTP alone
            call.reject(488, str(error))
            return
        lasts_s = len(frames("PCMU")) * TICK if ends else _MESSAGE_SECONDS
        await call.wait_ended(lasts_s)
    except TimeoutError:
        call.hangup()
    finally:
        player.stop()
        media.close()


OnRinging = Callable[[int, str], None]
#: Status and reason, not the error: its traceback would keep frames, and they the error.
Refusal = tuple[int, str | None]
_LOOKS_EVERY = 0.5  # seconds between two tries of a queue


@dataclass(frozen=True)
class RingGroup:
    """Agents who ring together or in turn for ``toward``; the first to answer gets the call, the
    others are cancelled.

    A group with a queue rings again and again until somebody takes the call or the caller's time
    in the queue is over: agents may log in meanwhile.
    """

    call: BackToBack
    settings: GroupSettings
    toward: WireLeg
    ticker: Ticker
    on_ringing: OnRinging | None = None

    async def ring(self, logged_in: Callable[[], Sequence[LegTarget]]) -> WireLeg:
        """The leg of the agent who answers, not connected yet. Raises `LegRefusedError`, with 480
        when no agent is logged in, and with 487 when the caller has hung up.
        """
        loop = asyncio.get_running_loop()
        patience = loop.time() + self.settings.queue_s
        while True:
            try:
                return await self._in_turns(logged_in())
            except LegRefusedError:
                if loop.time() >= patience or self._is_abandoned():
                    raise
            await asyncio.sleep(_LOOKS_EVERY)

    async def _in_turns(self, targets: Sequence[LegTarget]) -> WireLeg:
        """Ring batch by batch; the best of all refusals is raised when no phone has answered."""
        refusals: list[Refusal] = []
        for batch in self.settings.batches(len(targets)):
            if refusals:
                await asyncio.sleep(self.settings.pause_s)
            if self._is_abandoned():
                raise LegRefusedError(487)
            rings = [asyncio.ensure_future(self._one(targets[at])) for at in batch]
            winner = await _first(rings, refusals)
            if winner is not None:
                return winner
        best = min(refusals, key=_preference, default=(480, "Nobody is logged in"))
        raise LegRefusedError(*best)

    def _is_abandoned(self) -> bool:
        """Whether the caller has hung up: a transfer goes on beside the call that it leaves."""
        return self.toward.call.state == "ended"

    async def _one(self, target: LegTarget) -> WireLeg:
        """Ring one agent; one at an outside number may have to accept the call by a digit."""
        leg = await self.call.ring(target, self.toward, self.settings.ring_s, self.on_ringing)
        if target.accept is None:
            return leg
        digit, within = target.accept
        digits: asyncio.Queue[str] = asyncio.Queue()
        try:
            await wait_for_digit(digit, digits, leg.anchored, self.ticker, within, sound.accept)
        except BaseException:  # a cancelled one, too: another agent was faster
            leg.call.hangup()
            raise
        return leg


async def _first(
    rings: Sequence[asyncio.Future[WireLeg]], refusals: list[Refusal]
) -> WireLeg | None:
    """The first leg that is answered; the others are cancelled."""
    winner: WireLeg | None = None
    waiting: set[asyncio.Future[WireLeg]] = set(rings)
    try:
        while waiting and winner is None:
            finished, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for ring in (ring for ring in rings if ring in finished):
                # Not raised here: a raised error would keep this frame, the frame the ring, and the
                # ring the error.
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
            is_answered = not ring.cancel() and not ring.cancelled() and ring.exception() is None
            if is_answered and ring.result() is not winner:  # at the same moment
                ring.result().call.hangup()


def _preference(refusal: Refusal) -> tuple[bool, int]:
    """RFC 3261 section 16.7: of several refusals a 6xx counts, else one of the lowest class."""
    status, _ = refusal
    return status < 600, status // 100
