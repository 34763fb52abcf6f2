"""A menu: it plays until the caller presses the digit that leads on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from harness.world import info
from harness.world.legs import LegRefusedError
from harness.world.media import sound
from harness.world.media.digits import ReceivedDigit
from harness.world.media.leg import LegMedia
from harness.world.media.player import DigitListener, Player
from harness.world.media.ticker import Ticker
from harness.world.wire.indialog import InDialogRequest

#: The end of an event is sent three times (RFC 4733 section 2.5.1.4): its copies are not for whom the call goes on to.
_COPIES_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 20.0  #: without the right digit for so long, the menu gives up


class Menu:
    """The menu of one leg; digits come as telephone-events, as tones, or by INFO. ``plays`` is the prompt."""

    def __init__(self, media: LegMedia, ticker: Ticker, plays: Callable[[str], sound.Frames] = sound.menu) -> None:
        self._plays = plays
        self._media = media
        self._ticker = ticker
        self._digits: asyncio.Queue[str] = asyncio.Queue()

    async def wait_for(self, digit: str, within: float = PATIENCE_SECONDS) -> None:
        """Play until ``digit`` comes; other digits are ignored. Raises `LegRefusedError` when it never does."""
        player = Player(self._ticker, self._media, self._plays)
        listener = DigitListener(self._media, self._pressed)
        try:
            async with asyncio.timeout(within):
                while await self._digits.get() != digit:
                    pass
                await asyncio.sleep(_COPIES_SECONDS)
        except TimeoutError:
            raise LegRefusedError(480, "No choice was made") from None
        finally:
            player.stop()
            listener.stop()

    def info(self, request: InDialogRequest) -> None:
        """Take an INFO of the leg."""
        if digit := info.take(request):
            self._pressed(digit)

    def _pressed(self, digit: ReceivedDigit) -> None:
        self._digits.put_nowait(digit.digit)
